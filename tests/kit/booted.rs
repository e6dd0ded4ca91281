//! The units in a container that systemd has booted: the sandbox does not get in the way of the service, nor the service of systemd.

use std::process::Command;

use media_cache_test_skip as skip;
use media_cache_test_support::binary::binary_path;
use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::workspace::workspace_path;

use crate::units::{CONFIGURATION, PROGRAM, UNITS, units};

/// Where the program is in the container, in which `/usr` is that of this machine and cannot be changed.
const BOUND_PROGRAM: &str = "/opt/kit/media-cache";

/// Runs the script in the container, writes its output to a file outside, and turns the container off.
const UNIT: &str = "[Unit]
OnSuccess=poweroff.target
OnFailure=poweroff.target

[Service]
Type=oneshot
ExecStart=/bin/bash -eux /opt/kit/script
StandardOutput=file:/opt/kit/output/log
StandardError=file:/opt/kit/output/log
";

const SCRIPT: &str = r#"
media='media?url=https%3A%2F%2Fexample.com%2Fa.png' admin=http://127.0.0.1:8081 main=http://127.0.0.1:8080
get() { curl --silent --show-error --fail --retry 50 --retry-delay 1 --retry-max-time 20 "$@"; }

systemctl start media-cache
get $main/readyz
test "$(stat -c %U:%a /var/lib/media-cache /var/cache/media-cache | uniq)" = media-cache:700

head -c 100000 /dev/urandom >/tmp/body
get -X PUT --data-binary @/tmp/body -H 'Content-Type: image/png' "$admin/$media"
get --output /tmp/served "$main/$media"
cmp /tmp/body /tmp/served

# A policy is compiled by a process of its own, which limits itself.
/opt/kit/media-cache component export /tmp/components
/opt/kit/media-cache policy swap /tmp/components/policies/gdsf-*.wasm --server $admin

systemctl reload media-cache
until systemctl show --property StatusText media-cache | grep 'has been reloaded'; do sleep 0.1; done

systemctl start media-cache-verify
journalctl --unit media-cache-verify --output cat | grep '1 entry intact'
systemctl stop media-cache
test "$(systemctl show --property Result --value media-cache)" = success
truncate --size 1 /var/lib/media-cache/*.dat
if systemctl start media-cache-verify; then exit 1; fi
test "$(systemctl show --property ExecMainStatus --value media-cache-verify)" = 3

# systemd listens, and starts the service for the first connection. While it restarts, connections wait.
systemctl start media-cache.socket media-cache-admin.socket
get $main/healthz
get $admin/stats >/dev/null
systemctl restart --no-block media-cache
for _ in {1..20}; do curl --silent --show-error --fail $main/healthz; done
systemctl stop media-cache.socket media-cache-admin.socket media-cache
echo passed
"#;

#[test]
fn units_work_in_a_booted_system() {
    let is_root = rustix::process::getuid().is_root();
    if skip::unless(is_root, "root") || skip::unless_installed("systemd-nspawn") || skip::unless_installed("curl") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Without this machine's services, and without its network.
    let mut command = Command::new("timeout");
    command.args(["120", "systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--directory=/", "--volatile=yes"]);
    command.args(["--private-network", "--bind-ro=/etc/ssl"]);
    let mut bind = |from: &str, to: &str| {
        command.arg(format!("--bind-ro={from}:{to}"));
    };
    for unit in units() {
        let name = unit.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&unit).unwrap().replace(PROGRAM, BOUND_PROGRAM);
        bind(&write(name, &text), &format!("/etc/systemd/system/{name}"));
    }
    bind(&write("kit.service", UNIT), "/etc/systemd/system/kit.service");
    bind(&write("script", SCRIPT), "/opt/kit/script");
    bind(binary_path().to_str().unwrap(), BOUND_PROGRAM);
    bind(workspace_path(CONFIGURATION).to_str().unwrap(), "/etc/media-cache/media-cache.toml");
    bind(workspace_path(UNITS).join("media-cache.sysusers").to_str().unwrap(), "/etc/sysusers.d/media-cache.conf");
    let output = directory.path().join("output");
    std::fs::create_dir(&output).unwrap();
    command.arg(format!("--bind={}:/opt/kit/output", output.display()));
    command.args(["--boot", "systemd.unit=kit.service", "systemd.firstboot=off"]);
    command.args(["systemd-networkd", "NetworkManager"].map(|manager| format!("systemd.mask={manager}-wait-online.service")));
    let printed = CommandOutput::from(command.stdin(std::process::Stdio::null()).output().unwrap());
    let log = std::fs::read_to_string(output.join("log")).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    assert!(log.ends_with("passed\n"), "{log}");
}
