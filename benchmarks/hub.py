"""Models of transformers, read into keras-hub on jkeras, beside torch: the figures of
docs/pretrained.md.

    python -m benchmarks.hub

It takes the extra `hub`, and runs the program of tests/saving/test_transformers.py.
"""

import json
import os
import subprocess
import sys

from benchmarks import kept, runner

PROGRAM = runner.ROOT / "tests" / "saving" / "use_transformers.py"


def main():
    command = [sys.executable, "-W", "ignore", "-m", "jkeras", "run", str(PROGRAM)]
    environment = os.environ | runner.ENVIRONMENT | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        command, check=True, cwd=runner.ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = {line["name"]: {"read": line["read"], "same bits": line["same bits"]} for line in lines}
    kept.keep("hub", "models", found, ("keras-hub", "transformers", "torch"))


if __name__ == "__main__":
    main()
