//! The image of a container: its last stage is built by `buildah` on a stand-in for the base image, and the service runs in it. Base images
//! cannot be fetched here, and compiling the program again would take too long, so the first stage is not built.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use media_cache_test_skip as skip;
use media_cache_test_support::binary::binary_path;
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::service_process::Service;
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use tempfile::TempDir;

const CONTAINERFILE: &str = "contrib/container/Containerfile";

/// The user in the image.
const NONROOT: u32 = 65532;

/// The base image of the last stage.
const BASE: &str = "gcr.io/distroless/cc-debian12";

/// A directory with images and containers, without those of the user.
struct Images(TempDir);

impl Images {
    fn command(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| self.0.path().join(name).to_str().unwrap().to_owned();
        // With namespaces that end with the command, so that nothing outlives the test.
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "buildah"]).env("TMPDIR", self.0.path());
        command.args(["--root", &path("images"), "--runroot", &path("run"), "--storage-driver", "vfs"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        CommandOutput::from(self.command(arguments).output().unwrap()).succeeded_text().trim().to_owned()
    }

    /// Builds an image of the Containerfile in a directory that has all files that it copies.
    fn build(&self, file: &Path, tag: &str, directory: &Path, options: &[&str]) {
        let build = ["build", "--quiet", "--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", tag, "--file"];
        let (file, directory) = (file.to_str().unwrap(), directory.to_str().unwrap());
        self.run(&[&build[..], &[file], options, &[directory]].concat());
    }

    /// Builds a stand-in for the base image: the libraries of the program, certificates and a temporary directory.
    fn build_base(&self) {
        let directory = self.0.path().join("base");
        let libraries = CommandOutput::from(Command::new("ldd").arg(binary_path()).output().unwrap()).succeeded_text();
        let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
        for file in libraries.chain(["/etc/ssl/certs/ca-certificates.crt"]) {
            let copy = directory.join(file.trim_start_matches('/'));
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(file, copy).unwrap();
        }
        let file = self.0.path().join("base.Containerfile");
        fs::write(&file, "FROM scratch\nCOPY . /\nVOLUME /tmp\n").unwrap();
        self.build(&file, BASE, &directory, &[]);
    }
}

#[tokio::test]
async fn service_runs_in_the_image_without_privileges() {
    let is_root = rustix::process::getuid().is_root();
    if skip::unless(is_root, "root") || skip::unless_installed("buildah") {
        return;
    }
    let images = Images(tempfile::tempdir().unwrap());
    images.build_base();
    // What the first stage produces.
    let built = images.0.path().join("built");
    fs::create_dir_all(built.join("image/data")).unwrap();
    fs::copy(binary_path(), built.join("image/media-cache")).unwrap();
    let built = format!("build={}", built.display());
    let options = ["--build-arg", "SOURCE_COMMIT=unknown", "--build-context", &built];
    images.build(&workspace_path(CONTAINERFILE), "media-cache", &workspace_path("contrib/container"), &options);
    let container = images.run(&["from", "--pull-never", "localhost/media-cache"]);

    // A container without a key or `--public` refuses to start, since it listens on all addresses.
    let run = ["run", "--isolation", "chroot"];
    let serve = [&container, "--", "/usr/bin/media-cache", "serve"];
    let refused = CommandOutput::from(images.command(&[&run[..], &serve].concat()).output().unwrap());
    assert!(refused.code != Some(0) && refused.stderr.contains("--signing-key-file"), "{refused:?}");

    let data = images.0.path().join("data");
    fs::create_dir(&data).unwrap();
    chown(&data, Some(NONROOT), Some(NONROOT)).unwrap();
    let volume = format!("{}:/data", data.display());
    let ports = ["MEDIA_CACHE_LISTEN=:0", "MEDIA_CACHE_ADMIN_LISTEN=127.0.0.1:0", "MEDIA_CACHE_PUBLIC=true"];
    let variables: Vec<_> = ports.into_iter().flat_map(|variable| ["--env", variable]).collect();
    let command = images.command(&[&run[..], &["--volume", &volume], &variables, &serve].concat());
    let mut service = Service::start_command(command, images.0.path().join("none")).await;
    let (port, admin) = (service.address().port(), service.admin_address().await);
    let health = send(http_client().get(format!("http://127.0.0.1:{port}/healthz"))).await;
    assert_eq!(health.status, 200);

    // The health check of the image.
    let instruction = workspace_file(CONTAINERFILE);
    let check = instruction.split_once("CMD [\"/usr/bin/media-cache\"").unwrap().1.split_once(']').unwrap().0;
    let check: Vec<_> = check.split('"').filter(|part| !part.trim_matches([',', ' ']).is_empty()).collect();
    assert_eq!(check[..2], ["stats", "--server"]);
    let server = format!("http://{admin}");
    let stats = [&run[..], &[&container, "--", "/usr/bin/media-cache", "stats", "--server", &server]].concat();
    assert!(images.run(&stats).contains("\"total_entries\": 0"));

    // The service owns its directories, and nobody else can read them.
    for directory in ["media", "cache/media-cache/compiled"] {
        let metadata = fs::metadata(data.join(directory)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (NONROOT, 0o700), "{directory}");
    }
    let root = images.run(&["mount", &container]);
    assert_eq!(fs::metadata(Path::new(&root).join("data")).unwrap().uid(), NONROOT);
    drop(service);
}

#[test]
fn image_is_built_from_files_that_the_context_contains() {
    let ignored = workspace_file(".containerignore");
    for needed in ["host", "guest", "tests", "wit", "bench/compare", "Cargo.lock", "docs"] {
        assert!(!ignored.lines().any(|line| line == needed), "{needed}");
    }
    let toolchain = workspace_file(CONTAINERFILE);
    let version = toolchain.split_once("rust:").unwrap().1.split_once('-').unwrap().0;
    assert!(toolchain.contains(&format!("RUSTUP_TOOLCHAIN={version}.")));
    assert!(workspace_file("Cargo.toml").contains(&format!("rust-version = \"{version}\"")), "the oldest supported version");
}
