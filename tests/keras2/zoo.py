"""Runs programs one after the other in this process, in a folder of their own: prints a line of
JSON for each.
"""

import contextlib
import json
import sys
import tempfile
import textwrap
import traceback

import jkeras
from tests.keras2.programs import HEAD, PROGRAMS


def main(titles):
    jkeras.install_as_keras(keras2=True)
    from jkeras.keras2.install import install

    notes = install().notes
    for title in titles or PROGRAMS:
        source = HEAD + textwrap.dedent(PROGRAMS[title])
        error = None
        try:
            exec(compile(source, title, "exec"), {"__name__": "__main__"})
        except Exception:
            error = traceback.format_exc()[-1800:]
        pairs = list(notes)
        notes.clear()
        jkeras.backend.clear_session()
        print("RESULT " + json.dumps([title, error, pairs]), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        main(sys.argv[1:])
