"""A simulator for tests, with real failure modes: `tiny_simulator.py MODE ROWS POLICY`, run as a program of its own."""

import os
import signal
import subprocess
import sys
import time

mode, rows, policy, *more = sys.argv[1:]
SLEEPER = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(60)"

if mode == "hangs":
    print("began", flush=True)
    time.sleep(60)
elif mode == "stubborn":
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-S", "-c", SLEEPER, *more], start_new_session=True)
    time.sleep(60)
elif mode == "leaves":
    subprocess.Popen([sys.executable, "-S", "-c", SLEEPER, *more], start_new_session=True)
elif mode == "crashes":
    print("half of a res", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)
elif mode == "eats":
    held = bytearray(8 << 30)
elif mode == "floods":
    while True:
        os.write(1, b"0123456789" * 10_000)
elif mode == "fills":
    with open("large", "wb") as file:
        file.write(bytes(10_000_000))
elif mode == "links":
    os.symlink(more[0], "out.json")
elif mode == "links a folder":
    os.symlink(more[0], "results")
elif mode == "names again":
    os.link(more[0], "out.json")
elif mode == "pipes":
    os.mkfifo("out.json")
elif mode == "large":
    with open("out.json", "w") as file:
        file.write("[" + "0," * 6_000_000 + "0]")
elif mode == "refuses":
    print(f"does not fit: over by {float(rows) / 10}")
    sys.exit(3)
elif mode == "exits":
    print("words on the way out", file=sys.stderr)
    sys.exit(int(more[0]))
elif mode == "says":
    print(more[0])
elif mode == "flaky":
    tries = more[0]
    with open(tries, "a") as file:
        file.write("x")
    if os.path.getsize(tries) < 3:
        sys.exit(1)

if mode not in ("says", "links", "links a folder", "names again", "pipes", "large"):
    with open("out.json", "w") as file:
        file.write('{"layers": [{"cycles": 1}, {"cycles": %s}]}' % (2 * int(float(rows))))
    with open("out.csv", "w") as file:
        file.write("layer, energy\na,1.5\nb,2.5\n\n")
    print(f"policy {policy}\ntime 7 us\ntime {rows} us")
