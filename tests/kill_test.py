"""The release binary, killed with SIGKILL at random moments and delivered again.

    cargo build --release && cargo build -p connect-emulator && python3 tests/kill_test.py

It runs under a Lambda host of its own, against the emulator of Amazon Connect at 20 requests a second.
"""

import csv
import io
import random
import re
import time
import unittest

import boto3
import footprint

USERS = 250
SEED = 20261122
LANGUAGES = ["English", "French", "German", "Italian", "Spanish"]


def rows():
    """Additions, changes, rows that are right already, and some that are wrong."""
    for n in range(1, USERS + 1):
        yield f"agent-{n:05},Language,{LANGUAGES[n % 5]},{1 + n % 5}"
        yield f"agent-{n:05},Language,{LANGUAGES[(n + 1) % 5]},3"
        if n % 10 == 0:
            yield f"agent-{n:05},Language,Klingon,3"


class Centre:
    """An emulator and a bucket, and the function between them."""

    def __init__(self):
        quotas = ["--rate", "20", "--burst", "20", "--latency-ms", "20"]
        self.connect, self.connect_at, self.instance = footprint.emulator("--users", str(USERS), *quotas)
        self.s3 = footprint.s3()
        self.s3_server, self.s3_at = footprint.serve(self.s3)
        self.client = boto3.client(
            "connect",
            endpoint_url=self.connect_at,
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
        )

    def close(self):
        self.connect.kill()
        self.connect.wait()
        self.connect.stdout.close()
        self.s3_server.shutdown()
        self.s3_server.server_close()

    def deliver(self, event, life=None):
        """One process: its answer, or nothing if it did not live to give one."""
        handler = footprint.runtime([event])
        server, at = footprint.serve(handler)
        process = footprint.start(
            at,
            CONNECT_INSTANCE_ID=self.instance,
            AWS_ENDPOINT_URL_S3=f"http://{self.s3_at}",
            AWS_ENDPOINT_URL_CONNECT=self.connect_at,
            REQUESTS_PER_SECOND="20",
            REQUEST_BURST="20",
        )
        handler.answered.wait(life or 120)
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
        return handler.answers[0][1]["imports"][0] if handler.answers else None

    def drop(self, key, text, lives=()):
        self.s3.objects[key] = text.encode()
        event = {"source": f"s3://imports/{key}", "import_id": key}
        for life in lives:
            answer = self.deliver(event, life)
            assert answer is None, "the import was over before it could be killed"
        return self.deliver(event)

    def report(self, answer, name):
        return self.s3.objects[answer["report"].removeprefix("s3://imports/") + name].decode("utf-8-sig")

    def held(self):
        """What everybody has."""
        time.sleep(1)
        held = {}
        for n in range(1, USERS + 1):
            user = f"00000000-0000-4000-8000-{n:012}"
            answer = self.client.list_user_proficiencies(InstanceId=self.instance, UserId=user)
            items = answer["UserProficiencyList"]
            held[user] = {(item["AttributeName"], item["AttributeValue"]): item["Level"] for item in items}
        return held


class KillTest(unittest.TestCase):
    def test_killed_six_times_nothing_changes_but_the_time(self):
        text = "user,attribute,value,level\n" + "\n".join(rows()) + "\n"
        whole, killed = Centre(), Centre()
        self.addCleanup(whole.close)
        self.addCleanup(killed.close)
        expected = whole.drop("incoming/agents.csv", text)
        random.seed(SEED)
        lives = [random.uniform(0.2, 2.5) for _ in range(6)]
        print(f"seed {SEED}: killed after", ", ".join(f"{life:.2f} s" for life in lives))
        before = killed.held()
        answer = killed.drop("incoming/agents.csv", text, lives)

        self.assertEqual(answer["rows"], expected["rows"])
        for name in ["results.csv", "retry.csv", "undo.csv"]:
            self.assertEqual(killed.report(answer, name), whole.report(expected, name), name)
        self.assertEqual(killed.held(), whole.held())
        summary = killed.report(answer, "summary.json")
        self.assertEqual(int(re.search(r'"deliveries": (\d+)', summary)[1]), 7)
        changed = [row for row in csv.DictReader(io.StringIO(killed.report(answer, "undo.csv")))]
        print(f"{answer['rows']['total']} rows, {len(changed)} to be taken back")
        killed.drop("incoming/undo.csv", killed.report(answer, "undo.csv"))
        self.assertEqual(killed.held(), before)


if __name__ == "__main__":
    unittest.main()
