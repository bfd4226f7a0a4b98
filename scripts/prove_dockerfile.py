#!/usr/bin/env python3
"""Run the Dockerfile's very steps without a Docker engine: `prove_dockerfile.py BASE [WORK]`.

BASE is a folder with a root file system that stands in for the base image, such as one made by
`debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm BASE`.
Each stage is a copy of it in which every instruction is carried out by chroot, as root is needed
for. Then the container's command is started as its user, its health check and a first call are
asked, and it is stopped by SIGTERM. What this does not show: the base image itself, the layers and
their size, and how an engine maps ports and volumes.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

PROJECT = Path(__file__).resolve().parents[1]
CALL = "http://127.0.0.1:8000/get_customer_info_from_database?customer_id=56"


@dataclass
class Stage:
    """One FROM and what follows it.

    Attributes:
        root: its file system.
        environment: what ENV has set.
        workdir: where the next instruction runs.
        user: who runs it.
        command: CMD.
        health: the HEALTHCHECK's command.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def start(self, command: list[str], **outside: str) -> subprocess.Popen[bytes]:
        """Start a command in the stage's root, as its user."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path, "HOME": "/root"} | outside | self.environment
        script = f"cd {shlex.quote(self.workdir)} && exec {shlex.join(command)}"
        return subprocess.Popen(
            [
                str(shutil.which("chroot")),
                f"--userspec={self.user}",
                str(self.root),
                "/bin/sh",
                "-c",
                script,
            ],
            env=environment,
        )

    def run(self, command: list[str], **outside: str) -> None:
        """Run a command to its end, which must be a good one."""
        if self.start(command, **outside).wait() != 0:
            sys.exit(f"failed: {shlex.join(command)}")


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments."""
    lines = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    parts = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return [(part[0], part[1]) for part in parts]


def copy(stages: dict[str, Stage], stage: Stage, rest: str) -> None:
    """Carry out COPY."""
    *sources, target = rest.split()
    origin = PROJECT
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).removeprefix("--from=")].root
    for source in sources:
        path = origin / source.lstrip("/")
        where = stage.root / str(Path(stage.workdir) / target).lstrip("/")
        if path.is_dir():
            shutil.copytree(path, where, symlinks=True, dirs_exist_ok=True)
        else:
            where = where / path.name if target.endswith("/") else where
            where.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, where)


def build(base: Path, work: Path) -> Stage:
    """Carry out every instruction; return the last stage."""
    network = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for name, rest in instructions():
        print(f"--- {name} {rest}", flush=True)
        match name:
            case "FROM":
                label = rest.split(" AS ")[1] if " AS " in rest else "final"
                stage = stages[label] = Stage(work / label)
                subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
                for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
                    shutil.copy(file, stage.root / file.lstrip("/"))
                # The real base image calls its interpreter `python`.
                (stage.root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            case "WORKDIR":
                stage.workdir = rest
                (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                copy(stages, stage, Template(rest).safe_substitute(stage.environment))
            case "RUN":
                stage.run(["/bin/sh", "-c", rest], **network)
            case "ENV":
                for pair in shlex.split(rest):
                    key, value = pair.split("=", 1)
                    path = stage.environment.get("PATH", "/usr/local/bin:/usr/bin:/bin")
                    stage.environment[key] = value.replace("$PATH", path)
            case "ARG":
                key, value = rest.split("=", 1)
                stage.environment[key] = value
            case "USER":
                stage.user = rest
            case "CMD":
                stage.command = json.loads(rest)
            case "HEALTHCHECK":
                stage.health = json.loads(rest.split("CMD", 1)[1])
            case "VOLUME" | "EXPOSE":
                pass
            case _:
                sys.exit(f"an instruction that this script does not know: {name}")
    return stage


def main() -> None:
    """Build, start, ask, stop."""
    base = Path(sys.argv[1]).resolve()
    work = Path(sys.argv[2] if len(sys.argv) > 2 else f"{base}.stages").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    stage = build(base, work)
    used = subprocess.run(["du", "-sm", str(stage.root / "opt")], capture_output=True, check=True)
    print(f"--- the application takes {used.stdout.split()[0].decode()} MB beside the base image")
    server = stage.start(stage.command)
    try:
        for _ in range(300):
            try:
                answer = urllib.request.urlopen(CALL, timeout=5).read().decode()
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit("the server did not answer")
        print(answer)
        stage.run(stage.health)
        owner = (stage.root / "data/customer-segmentation.db").stat().st_uid
        print(f"--- healthy; the database in /data belongs to user {owner}")
    finally:
        server.terminate()
        print(f"--- stopped by SIGTERM with exit status {server.wait()}")


if __name__ == "__main__":
    main()
