"""Processes of the bench: pinned to a core, measured, and terminated with the bench, however it ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1


class Failure(Exception):
    """An error that ends the bench: what failed, and why."""


class Process:
    """A process with its children, on one core. Its errors go to a file, which is quoted if it fails."""

    def __init__(self, name, command, directory, core=SERVER_CORE, reports_address=False):
        self.name, self.command = name, [str(word) for word in command]
        self.log = Path(directory) / f"{name}.log"
        # If the bench is killed, the kernel terminates the processes that it has started.
        pinned = ["taskset", "--cpu-list", str(core), "setpriv", "--pdeathsig", "TERM", *self.command]
        with open(self.log, "wb") as log:
            output = subprocess.PIPE if reports_address else log
            self.process = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=log, text=reports_address)
        self.address = None
        if reports_address:
            line = self.process.stdout.readline()
            if not line.startswith("listening on http://"):
                self.stop()
                raise Failure(f"cannot start {name}: {self.quote()}")
            self.address = line.strip().removeprefix("listening on http://")

    def quote(self):
        """The end of the process's output."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n  ".join([" ".join(self.command), *lines[-10:]])

    def wait_for(self, is_ready, seconds=20):
        """Waits until the process is ready."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} exited with {self.process.returncode}: {self.quote()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.name} is not ready after {seconds} s: {self.quote()}")
            time.sleep(0.02)

    def tree(self):
        """The process and all its descendants."""
        found = [self.process.pid]
        for pid in found:
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += [int(child) for child in (task / "children").read_text().split()]
            except FileNotFoundError:
                pass
        return found

    def cpu_times(self):
        """User and system time so far in seconds, of all threads, by process."""
        # The CPU clock of another process, as clock_getcpuclockid(3) makes it: in nanoseconds, where /proc/PID/stat has ticks.
        return {pid: time.clock_gettime((~pid << 3) | 2) for pid in self.tree()}

    def cpu_since(self, before):
        """The seconds of user and system time since `cpu_times` returned `before`."""
        return sum(seconds - before.get(pid, 0) for pid, seconds in self.cpu_times().items())

    def memory_bytes(self):
        """The proportional set size: pages that processes share are counted once."""
        total = 0
        for pid in self.tree():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return total

    def stop(self):
        """Terminates the process, and kills it if it does not end."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            descendants = self.tree()[1:]
            if self.process.poll() is None:
                self.process.send_signal(how)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                continue
            if how == signal.SIGKILL:
                for pid in descendants:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            break
        if self.process.stdout:
            self.process.stdout.close()


def run(name, command, **options):
    """Runs a command, and returns what it prints."""
    command = [str(word) for word in command]
    try:
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout
    except FileNotFoundError:
        raise Failure(f"{name}: {command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        output = (error.stdout + error.stderr).strip()
        raise Failure(f"{name} exited with {error.returncode}: {' '.join(command)}\n  {output[-2000:]}") from None
