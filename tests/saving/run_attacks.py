"""Makes the hostile files of ../shared/attacks and loads each in a process of its own.

    python tests/saving/run_attacks.py

Some of them lead to a server of this machine. Its port, which the harness has fixed, is one that is
free, so that two runs do not meet. Exit status 0: all are refused clearly, or harmless.
"""

import pathlib
import re
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ATTACKS = ROOT.parent / "shared" / "attacks"


def free_port():
    """The number of a port where nobody listens."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def make(folder):
    """Makes the files below a folder, with a port of their own."""
    source = (ATTACKS / "make_attacks.py").read_text()
    source, count = re.subn(r"^PORT = \d+$", f"PORT = {free_port()}", source, flags=re.M)
    assert count == 1, "make_attacks.py names its port in another way"
    maker = folder / "make_attacks.py"
    maker.write_text(source)
    subprocess.run([sys.executable, maker, folder / "made"], check=True, stdout=subprocess.DEVNULL)
    return folder / "made"


def main():
    """Makes, loads, and prints what is not refused as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        made = make(pathlib.Path(folder))
        command = [sys.executable, ATTACKS / "run_attacks.py", made, "--module", "jkeras", "-q"]
        done = subprocess.run([*command, "--path", ROOT], stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    counts = dict(re.findall(r"(PASS|WEAK|FAIL) (\d+)", done.stdout))
    return done.returncode or counts.keys() != {"PASS"}


if __name__ == "__main__":
    sys.exit(main())
