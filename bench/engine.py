"""A program that is measured: it takes a line for each step, and answers with a line of JSON."""

import json
import subprocess


class Engine:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise ChildProcessError(f"{self.process.args[0]}: no answer to '{line}', exit code {self.process.wait()}")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise ChildProcessError(f"{self.process.args[0]}: exit code {self.process.returncode}")
