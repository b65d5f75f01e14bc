#!/usr/bin/env python3
"""Measures the codec child against the FFmpeg CLI: the same four-rung ladder and x264 settings, in the same run.

usage: benches/transcode.py [--seconds 20] [--runs 2] [--bin target/release/examples]

Prints CPU-seconds per media second, the ratio, and peak memory of the process tree as sampled ten times a second.
"""
import argparse, json, os, pathlib, resource, subprocess, tempfile, threading, time

LADDER = [("1920:1080", "5000k"), ("1280:720", "2800k"), ("854:480", "1400k"), ("640:360", "800k")]


def source(path, seconds):
    """1080p30, H.264 High 4.5 Mbit/s, GOP 2 s, two B pictures, AAC 128k: the source of the peers' figures."""
    graph = (f"mandelbrot=s=960x1080:r=30,format=yuv420p[m];testsrc2=s=960x1080:r=30,noise=alls=8:allf=t,format=yuv420p[t];"
             "[m][t]hstack[v]")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-filter_complex", graph, "-f", "lavfi", "-i", "sine=440:r=48000",
                    "-map", "[v]", "-map", "0:a", "-t", str(seconds), "-c:v", "libx264", "-preset", "veryfast",
                    "-b:v", "4500k", "-maxrate", "4500k", "-bufsize", "4500k", "-g", "60", "-keyint_min", "60",
                    "-sc_threshold", "0", "-bf", "2", "-c:a", "aac", "-b:a", "128k", "-ac", "2", path], check=True)


def tree(pid):
    """Resident bytes of a process and its descendants."""
    total, todo = 0, [pid]
    while todo:
        p = todo.pop()
        try:
            total += int(pathlib.Path(f"/proc/{p}/statm").read_text().split()[1]) * resource.getpagesize()
            todo += [int(c) for c in pathlib.Path(f"/proc/{p}/task/{p}/children").read_text().split()]
        except (OSError, IndexError):
            pass
    return total


def measure(command):
    """(CPU seconds, wall seconds, peak resident MiB, stdout)"""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    peak, done = [0], threading.Event()

    def sample():
        while not done.wait(0.1):
            peak[0] = max(peak[0], tree(child.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    done.set()
    sampler.join()
    if status:
        raise SystemExit(f"{command[0]} failed: {status}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, peak[0] / 2**20, out.decode()


def cli(path, folder, low, passthrough):
    rungs = LADDER[1:] if passthrough else LADDER
    x264 = "keyint=infinite:min-keyint=1:scenecut=0:open-gop=0:stitchable=1:"
    x264 += "bframes=0:rc-lookahead=10" if low else "bframes=2:rc-lookahead=20"
    split = f"[0:v]split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs))) + ";"
    scale = ";".join(f"[s{i}]scale={size}[v{i}]" for i, (size, _) in enumerate(rungs))
    command = ["ffmpeg", "-v", "error", "-y", "-i", path, "-filter_complex", split + scale]
    for i, (_, rate) in enumerate(rungs):
        kbps = int(rate[:-1])
        command += ["-map", f"[v{i}]", "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-b:v", rate,
                    "-maxrate", f"{kbps * 11 // 10}k", "-bufsize", rate, "-forced-idr", "1",
                    "-force_key_frames", "expr:gte(t,n_forced*2)", "-x264-params", x264, "-f", "h264",
                    f"{folder}/cli-{i}.h264"]
    return command + ["-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-f", "adts", f"{folder}/cli.aac"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--bin", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release/examples"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/source.flv"
        source(path, options.seconds)
        bench = [f"{options.bin}/transcode_bench", path]
        cases = [("low, every rung encoded", True, False, []), ("standard, every rung encoded", False, False, ["--standard"]),
                 ("low, source passed through", True, True, ["--passthrough"])]
        print("| case | FFmpeg CLI CPU-s/s | ours | ratio | CLI MiB | ours MiB | ratio | ours x real time |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name, low, passthrough, flags in cases:
            # A passed-through source saves the top rung; the CLI is measured with all four, as its user would run it.
            theirs = min((measure(cli(path, folder, low, False)) for _ in range(options.runs)), key=lambda m: m[0])
            ours = min((measure(bench + flags) for _ in range(options.runs)), key=lambda m: m[0])
            media = json.loads(ours[3])["media_s"]
            print(f"| {name} | {theirs[0] / media:.3f} | {ours[0] / media:.3f} | {ours[0] / theirs[0]:.3f} "
                  f"| {theirs[2]:.0f} | {ours[2]:.0f} | {ours[2] / theirs[2]:.2f} | {media / ours[1]:.2f} |", flush=True)


main()
