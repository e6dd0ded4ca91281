"""The origin and the servers that are compared, each with its configuration."""

import os
import shutil
import socket
from pathlib import Path

from client import get
from processes import LOAD_CORE, Failure, Process, run

HERE = Path(__file__).parent
ALLOWED_PAGE = "https://page.example"
# The headers that Chromium sends for an image of another site.
CHROMIUM = {
    "sec-ch-ua-platform": '"Linux"', "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"', "sec-ch-ua-mobile": "?0",
    "Accept": "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "image", "Referer": "https://page.example/", "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en-US,en;q=0.9",
}
# Log tags to mask: Varnish logs every request to shared memory by default, and the other servers log none.
VARNISH_LOG = ("Begin End Link SessOpen SessClose ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ReqAcct RespProtocol "
               "RespStatus RespReason RespHeader RespUnset VCL_call VCL_return VCL_use Hit HitPass HitMiss Timestamp Length Filters "
               "Storage TTL BereqMethod BereqURL BereqProtocol BereqHeader BereqUnset BereqAcct BerespProtocol BerespStatus "
               "BerespReason BerespHeader BerespUnset BackendOpen BackendClose BackendReuse Fetch_Body").split()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def accepts(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as attempt:
        return attempt.connect_ex((host, int(port))) == 0


def filled_in(template, values):
    text = (HERE / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


class Origin(Process):
    """Serves media of every size and name, and counts requests."""

    def __init__(self, program, directory):
        super().__init__("origin", [program, "origin"], directory, LOAD_CORE, reports_address=True)

    def count(self):
        return int(get(self.address, "/count").body)


class Server:
    """A server that runs for one case. `target` is where its media is, before and after its number."""

    def __init__(self, name, bench, case, directory):
        self.name, self.bench, self.case, self.directory = name, bench, case, Path(directory) / name
        self.directory.mkdir()
        # Request headers.
        self.headers = dict(CHROMIUM) if case.mode == "mixed" else {}
        self.process = self.start()
        if not self.process.address:
            self.process.address = self.listens_at
            try:
                self.process.wait_for(lambda: accepts(self.listens_at))
            except BaseException:
                self.process.stop()
                raise
        self.address = self.process.address

    def target(self, size):
        return f"/{size}/", ".png"

    def path(self, number):
        before, after = self.target(self.case.size)
        return f"{before}{number}{after}"

    def configuration(self):
        """The command, and the files that it reads."""
        files = [file.read_text() for file in sorted(self.directory.iterdir()) if file.suffix in (".conf", ".vcl")]
        return "\n".join([" ".join(self.process.command), *files])

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class MediaCache(Server):
    """`serve` with its defaults: only the address, the directory and the exception for the origin are set."""

    @property
    def program(self):
        return self.bench.binaries[self.name]

    def start(self):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--dir", self.directory / "cache", "--allow-address", "127.0.0.0/8"]
        if self.case.misses or self.case.mode == "mixed":
            # By default misses are logged, but not hits.
            command += ["--log-requests", "none"]
            if "--reuse-origin-connections" in self.bench.help[self.name]:
                command += ["--reuse-origin-connections", "never"] if self.case.variant == "fresh" else []
        if self.case.variant == "signed":
            self.key = self.directory / "key"
            self.key.touch(mode=0o600)
            self.key.write_text(os.urandom(32).hex() + "\n")
            command += ["--signing-key-file", self.key]
        if self.case.variant == "cors":
            command += ["--allow-origin", ALLOWED_PAGE]
            self.headers["Origin"] = ALLOWED_PAGE
        return Process(self.name, command, self.bench.work, reports_address=True)

    def target(self, size):
        origin = self.bench.origin.address.replace(":", "%3A")
        if self.case.variant != "signed":
            return f"/media?url=http%3A%2F%2F{origin}%2F{size}%2F", ".png"
        url = f"http://{self.bench.origin.address}/{size}/0.png"
        signed = run("media-cache sign", [self.program, "sign", "--signing-key-file", self.key, url]).strip()
        before, separator, after = signed.partition("%2F0.png")
        if not separator:
            raise Failure(f"a signed URL does not contain the original URL: {signed}")
        return before + "%2F", ".png" + after


class Nginx(Server):
    def start(self):
        reuse = self.case.variant != "fresh"
        port = free_port()
        self.listens_at = f"127.0.0.1:{port}"
        values = {
            "USER": "user root;" if os.geteuid() == 0 else "", "WORK": self.directory, "PORT": port, "ORIGIN": self.bench.origin.address,
            "NOPUSH": self.bench.options.nginx_tcp_nopush,
            "KEEPALIVE": "keepalive 64; keepalive_requests 1000000000;" if reuse else "",
            "PROXY_CONNECTION": 'proxy_http_version 1.1; proxy_set_header Connection "";' if reuse else "",
        }
        configuration = self.directory / "nginx.conf"
        configuration.write_text(filled_in("nginx.conf", values))
        return Process(self.name, ["nginx", "-p", self.directory, "-c", configuration], self.bench.work)


class Varnish(Server):
    def start(self):
        port = free_port()
        self.listens_at = f"127.0.0.1:{port}"
        host, origin_port = self.bench.origin.address.rsplit(":", 1)
        configuration = self.directory / "varnish.vcl"
        configuration.write_text(filled_in("varnish.vcl", {"HOST": host, "PORT": origin_port}))
        storage = f"file,{self.directory}/store,1G" if self.case.on_disk else "malloc,1G"
        command = ["varnishd", "-F", "-j", "none", "-n", self.directory / "run", "-a", self.listens_at, "-T", "none", "-f", configuration]
        command += ["-s", storage, "-p", "thread_pools=1", "-p", "thread_pool_min=300", "-p", "thread_pool_max=1000"]
        command += ["-p", "vsl_mask=" + ",".join("-" + tag for tag in VARNISH_LOG)]
        return Process(self.name, command, self.bench.work)


class Rendered(Server):
    """A server with one response to all requests: that of media-cache to the same request."""

    def start(self):
        ours = self.bench.ours()
        response = get(ours.address, ours.path(0))
        files = self.directory / "head", self.directory / "body"
        for file, content in zip(files, (response.head, response.body)):
            file.write_bytes(content)
        return Process(self.name, [self.bench.servers_program, self.name, *files], self.bench.work, reports_address=True)

    def target(self, size):
        return self.bench.ours().target(size)


KINDS = {"media-cache": MediaCache, "base": MediaCache, "nginx": Nginx, "varnish": Varnish, "hyper": Rendered, "bare": Rendered}
NEEDS = {"nginx": "nginx", "varnish": "varnishd"}
