#!/usr/bin/python3
"""Black-box tests: every file tests/http/<letter><nn>_<words>.py against a real server of its own.

A file is a list of functions test_sentence(s); `s` is session.Session, with a model of its own for each test. FLAGS in a
file are flags for its server. Files run side by side, each in a process of its own; the server dies with it.
"""

import argparse
import importlib.util
import inspect
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import session  # noqa: E402
from record import RECORDER  # noqa: E402

TEST_SECONDS = 60
FILE_NAME = re.compile(r"^[a-z][0-9][0-9]_[a-z0-9_]+\.py$")


class Timeout(BaseException):
    """Not an Exception: no test may catch it."""


def on_alarm(*_):
    raise Timeout()


def patience_for(server):
    """Sanitizers and valgrind are allowed more time, and given less to do."""
    return 5 if re.search(r"/(asan|tsan|valgrind|debug|cover)/", server) else 1


def report(name, failure, s):
    lines = [f"--- {name}", failure.rstrip()]
    if s.client is not None and s.client.log:
        lines += ["last exchanges:"] + [str(reply) for reply in s.client.log[-3:]]
    errors = s.server.complaints()
    if errors:
        lines += ["server's standard error:", errors[-1500:]]
    return "\n".join(lines)


def run_test(name, function, s):
    """None, or what went wrong, or session.Skipped."""
    signal.alarm(int(TEST_SECONDS * s.patience))
    RECORDER.test = name
    try:
        if s.server.process is None:
            s.server.start()
        s.connect()
        s.put("", {}).expect(201)
        function(s)
        if s.server.process is not None and s.server.process.poll() is not None:
            raise AssertionError(f"the server ended by itself: {s.server.process.poll()}")
        return None
    except session.Skipped as skipped:
        return skipped
    except Timeout:
        return report(name, f"not finished after {TEST_SECONDS * s.patience} s\n{traceback.format_exc()}", s)
    except Exception:  # pylint: disable=broad-except
        return report(name, traceback.format_exc(), s)
    finally:
        signal.alarm(0)
        s.disconnect()
        if s.server.process is not None and s.server.process.poll() is not None:
            s.server.forget()


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [(n, f) for n, f in inspect.getmembers(module, inspect.isfunction)
             if n.startswith("test_") and f.__module__ == module.__name__]
    return module, sorted(tests, key=lambda item: item[1].__code__.co_firstlineno)


def run_file(options):
    """In the child: prints failures, then `passed failed seconds` on a line."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began, failures, passed = time.monotonic(), [], 0
    module, tests = load(options.file)
    RECORDER.begin(module.__name__)
    server = session.Server(options.server, getattr(module, "FLAGS", ()), patience_for(options.server))
    s = session.Session(server)
    s.root = os.path.join(HERE, "..", "..")
    try:
        for index, (name, function) in enumerate(tests):
            if options.test and options.test not in name:
                continue
            s.model = f"t{index}"
            failure = run_test(name, function, s)
            if isinstance(failure, session.Skipped):
                print(f"skip http/{module.__name__} {name}: {failure}")
            elif failure:
                failures.append(failure)
            else:
                passed += 1
        if server.process is not None:
            status = server.stop()
            if status != 0:
                failures.append(f"--- stopping\nexit status {status}\n{server.complaints()}")
        if session.FOUND.search(server.complaints()):
            failures.append(f"--- a sanitizer spoke\n{server.complaints()}")
    except AssertionError as wrong:
        failures.append(f"--- stopping\n{wrong}")
    finally:
        RECORDER.end()
        server.end()
        if options.keep and failures:
            print(f"kept {server.root}")
        else:
            server.remove()
    for failure in failures:
        print(failure)
    print(f"{passed} {len(failures)} {time.monotonic() - began:.1f}")
    return 1 if failures else 0


def chosen(options):
    files = sorted(name for name in os.listdir(HERE) if FILE_NAME.match(name))
    return [name for name in files if not options.only or options.only in name]


def launch(options, name):
    """The child, and the file its output goes to."""
    command = [sys.executable, os.path.abspath(__file__), "--server", options.server,
               "--file", os.path.join(HERE, name)]
    command += ["--keep"] if options.keep else []
    command += ["--test", options.test] if options.test else []
    output = tempfile.TemporaryFile()
    return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                            preexec_fn=session.told_with_parent), output


def run_all(options):
    waiting, running, passed, failed = chosen(options), {}, 0, 0
    try:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                name = waiting.pop(0)
                running[name] = launch(options, name)
            time.sleep(0.02)
            for name, (child, output) in list(running.items()):
                if child.poll() is not None:
                    del running[name]
                    output.seek(0)
                    good, bad = summary(name[:-3], output.read().decode("utf-8", "replace"), child.returncode)
                    passed, failed = passed + good, failed + bad
    finally:
        for child, _ in running.values():
            child.terminate()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def summary(name, output, status):
    *lines, last = output.rstrip("\n").split("\n")
    found = re.match(r"^(\d+) (\d+) ([0-9.]+)$", last)
    if not found or (status != 0) != (found[2] != "0"):
        print(f"FAIL {name}\n{output}", flush=True)
        return 0, 1
    if lines:
        print("\n".join(lines))
    good, bad = int(found[1]), int(found[2])
    word, count = ("FAIL", f"{bad} of {good + bad}") if bad else ("ok  ", f"{good}")
    print(f"{word} http/{name} ({count} tests, {found[3]} s)", flush=True)
    return good, bad


def main():
    parser = argparse.ArgumentParser(description="black-box tests of the server")
    parser.add_argument("--server", default="build/tensorkeep")
    parser.add_argument("--only", default="", metavar="WORD", help="files whose name holds this")
    parser.add_argument("--test", default="", metavar="WORD", help="tests whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the data of files that failed")
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.server = os.path.abspath(options.server)
    if not os.access(options.server, os.X_OK):
        sys.exit(f"there is no server at {options.server}")
    return run_file(options) if options.file else run_all(options)


if __name__ == "__main__":
    sys.exit(main())
