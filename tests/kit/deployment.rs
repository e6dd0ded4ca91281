//! docs/deployment.md, from nothing to a service behind nginx with Prometheus: its commands run in a copy of this machine that systemd boots.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use media_cache_test_skip as skip;
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::workspace::{workspace_file, workspace_path};

use crate::package::{self, made};

const PAGE: &str = "docs/deployment.md";

/// Programs of the container.
const PROGRAMS: [&str; 7] = ["apt-get", "curl", "nginx", "openssl", "prometheus", "promtool", "systemd-nspawn"];

/// An image that the container can reach.
const IMAGE: (&str, &str) = ("https://www.rust-lang.org/static/images/rust-social-wide.jpg", "http://127.0.0.1:8000/wide.jpg");

/// Mounts a copy of this machine's files, in which changes are lost, and boots it without the services of this machine.
const BOOT: &str = r#"
mount -t tmpfs tmpfs "$0"
mkdir "$0/changes" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/changes,workdir=$0/work" "$0/root"
cp "$1/kit.service" "$0/root/etc/systemd/system/"
exec systemd-nspawn --quiet --keep-unit --register=no --private-network --directory "$0/root" --bind "$1:/run/kit" --bind-ro "$2:/run/repository" \
    --boot systemd.unit=kit.service systemd.mask=systemd-networkd-wait-online.service systemd.mask=NetworkManager-wait-online.service
"#;

/// Runs the script, and turns the container off.
const UNIT: &str = "[Unit]
OnSuccess=poweroff.target
OnFailure=poweroff.target
Wants=dbus.service

[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive CURL_HOME=/run/kit
ExecStart=/bin/bash -eux /run/kit/script
StandardOutput=file:/run/kit/log
StandardError=file:/run/kit/log
";

/// What the page expects: packages may restart services, nginx and Prometheus run, the site has a certificate, and there is an origin.
const BEFORE: &str = r#"
rm -f /usr/sbin/policy-rc.d
echo '127.0.0.1 media.example.com' >>/etc/hosts
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=media.example.com -keyout /etc/ssl/media.example.com.key \
    -out /etc/ssl/media.example.com.pem
mkdir /srv/origin
printf '\xff\xd8\xff\xe0 an image' >/srv/origin/wide.jpg
echo 'server { listen 127.0.0.1:8000; root /srv/origin; }' >/etc/nginx/conf.d/origin.conf
systemctl start nginx prometheus
cp /run/kit/media-cache.conf /etc/nginx/conf.d/
cp /run/kit/prometheus.yml /etc/prometheus/
"#;

/// After the configuration: the origin is on this machine.
const ALLOW_ORIGIN: &str = r#"echo 'allow-address = ["127.0.0.0/8"]' >>/etc/media-cache/media-cache.toml"#;

/// What must be true in the end.
const AFTER: &str = r#"
cmp rust.jpg /srv/origin/wide.jpg
until curl -fsS 'http://127.0.0.1:9090/api/v1/query?query=media_cache_ready' | grep '"1"'; do sleep 0.5; done
curl -fsS http://127.0.0.1:9090/api/v1/rules | grep MediaCacheDegraded
test "$(systemctl is-enabled media-cache media-cache.socket media-cache-verify.timer | uniq)" = enabled

# During an upgrade, connections wait.
started=$(systemctl show --property ActiveEnterTimestampMonotonic --value media-cache)
apt-get install --reinstall "$PACKAGE" &
while kill -0 $!; do curl -fsS http://127.0.0.1:8080/healthz; sleep 0.05; done
wait $!
test "$started" != "$(systemctl show --property ActiveEnterTimestampMonotonic --value media-cache)"

systemctl stop media-cache.socket media-cache-admin.socket media-cache
"#;

/// Before the commands for HTTPS without nginx, which get the certificate of the site.
const BEFORE_HTTPS: &str = r#"
systemctl stop nginx
certbot=/etc/letsencrypt/live/media.example.com
mkdir -p "$certbot" /etc/letsencrypt/renewal-hooks/deploy
cp /etc/ssl/media.example.com.pem "$certbot/fullchain.pem"
cp /etc/ssl/media.example.com.key "$certbot/privkey.pem"
"#;

/// After them: a renewed certificate is used.
const AFTER_HTTPS: &str = r#"
presented() { openssl s_client -connect media.example.com:443 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint; }
first=$(presented)
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=media.example.com -keyout "$certbot/privkey.pem" -out "$certbot/fullchain.pem"
RENEWED_LINEAGE=$certbot /etc/letsencrypt/renewal-hooks/deploy/media-cache
while test "$first" = "$(presented)"; do sleep 0.1; done
systemctl stop media-cache.socket media-cache
echo passed
"#;

/// The fenced blocks in a language of a page, or of part of it.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::<String>::new();
    let mut indent = None;
    for line in page.lines() {
        let text = line.trim_start();
        match indent {
            None if text == format!("```{language}") => {
                indent = Some(line.len() - text.len());
                blocks.push(String::new());
            }
            Some(_) if text == "```" => indent = None,
            Some(indent) => {
                let block = blocks.last_mut().unwrap();
                *block += line.get(indent..).unwrap_or_default();
                block.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// The blocks of the page for root, except those for Docker: for the Debian package, for other distributions, those that follow, and those
/// for HTTPS without nginx.
fn commands() -> [String; 4] {
    let page = workspace_file(PAGE);
    let (before, rest) = page.split_once("## HTTPS without nginx\n").unwrap();
    let (https, after) = rest.split_once("\n## ").unwrap();
    let blocks = [before, after].map(|part| blocks(part, "bash")).concat();
    let [package, archive, rest @ .., docker] = &blocks[..] else { panic!("{blocks:?}") };
    assert!(package.starts_with("apt-get install") && archive.starts_with("tar -xJf") && docker.starts_with("docker build"));
    let rest = rest.join("\n");
    assert!(rest.contains(IMAGE.0));
    [package.clone(), archive.clone(), rest.replace(IMAGE.0, IMAGE.1), self::blocks(https, "bash").join("\n")]
}

/// Whether a machine cannot boot the container.
fn skips() -> bool {
    let is_root = rustix::process::getuid().is_root();
    skip::unless(is_root, "root") || package::PROGRAMS.into_iter().chain(PROGRAMS).any(skip::unless_installed)
}

/// The repository.
fn repository() -> PathBuf {
    workspace_path("").canonicalize().unwrap()
}

/// Where a file of the repository is in the container, whose `/tmp`, for example, is another one.
fn in_container(file: &Path) -> PathBuf {
    Path::new("/run/repository").join(file.canonicalize().unwrap().strip_prefix(repository()).unwrap())
}

/// Runs a script in the container, in which the files of `shared` are in `/run/kit`.
fn boot(directory: &Path, script: &str) {
    let [mount, shared] = ["mount", "shared"].map(|name| directory.join(name));
    fs::create_dir(&mount).unwrap();
    fs::create_dir_all(&shared).unwrap();
    for (name, text) in [("kit.service", UNIT), (".curlrc", "insecure\n"), ("script", script)] {
        fs::write(shared.join(name), text).unwrap();
    }
    let mut boot = Command::new("timeout");
    boot.args(["150", "unshare", "--mount", "sh", "-euc", BOOT]).arg(&mount).arg(&shared).arg(repository()).stdin(Stdio::null());
    let printed = CommandOutput::from(boot.output().unwrap());
    let log = fs::read_to_string(shared.join("log")).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    assert!(log.ends_with("passed\n"), "{log}");
}

/// The configuration of nginx in front of one service.
pub fn reverse_proxy() -> String {
    let blocks = blocks(&workspace_file("docs/operations.md"), "nginx");
    blocks.into_iter().find(|block| block.contains("server_name media.example.com")).unwrap()
}

#[test]
fn commands_of_the_page_lead_to_a_service_behind_nginx_with_metrics() {
    if skips() {
        return;
    }
    let (files, package) = made();
    let directory = tempfile::tempdir().unwrap();
    let shared = directory.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let [scrape] = &blocks(&workspace_file(PAGE), "yaml")[..] else { panic!("{PAGE} has one configuration for Prometheus") };
    fs::write(shared.join("prometheus.yml"), format!("global:\n  scrape_interval: 1s\n{scrape}")).unwrap();
    fs::write(shared.join("media-cache.conf"), reverse_proxy()).unwrap();
    let [install, _, rest, https] = commands();
    let enter = format!("cd /run/repository\nPACKAGE={}", in_container(&files.join(package)).display());
    boot(
        directory.path(),
        &format!("{enter}\n{BEFORE}\n{install}\ncd /root\n{ALLOW_ORIGIN}\n{rest}\n{AFTER}\n{BEFORE_HTTPS}\n{https}\n{AFTER_HTTPS}"),
    );
}

#[test]
fn files_of_the_archive_are_installed_by_the_commands_of_the_page() {
    if skips() {
        return;
    }
    let (files, _) = made();
    let directory = tempfile::tempdir().unwrap();
    let [_, install, ..] = commands();
    let start = "systemctl start media-cache\ncurl -fsS --retry 20 http://127.0.0.1:8080/readyz\necho passed";
    boot(
        directory.path(),
        &format!("cp {}/media-cache-*-linux.tar.xz /root\ncd /root\n{install}\n{start}", in_container(files).display()),
    );
}
