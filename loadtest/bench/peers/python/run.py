"""Runs a handler as Lambda does, once: `python run.py HANDLER` loads it, says so
in a line, takes one event in a line, and says in another how it ended. It is
ended from outside, when its processor time has been read.
"""

import importlib
import json
import platform
import sys


def say(message):
    print(json.dumps(message), flush=True)


handler = importlib.import_module(sys.argv[1]).handler
say({"runtime": f"Python {platform.python_version()}"})

try:
    say({"answered": handler(json.loads(sys.stdin.readline()))})
except Exception as error:  # whatever a handler throws is its answer
    say({"threw": f"{type(error).__name__}: {error}"})
sys.stdin.read()
