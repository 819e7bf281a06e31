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
SOME = 80
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

    def drop(self, key, text, lives=(), **options):
        self.s3.objects[key] = text.encode()
        event = {"source": f"s3://imports/{key}", "import_id": key, **options}
        for life in lives:
            answer = self.deliver(event, life)
            assert answer is None, "the import was over before it could be killed"
        return self.deliver(event)

    def report(self, answer, name):
        """An object of the report, or nothing if there is none."""
        found = self.s3.objects.get(answer["report"].removeprefix("s3://imports/") + name)
        return found and found.decode("utf-8-sig")

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

    def settings(self):
        """What everybody's channels are set to."""
        time.sleep(1)
        users = [f"00000000-0000-4000-8000-{n:012}" for n in range(1, SOME + 1)]
        described = [self.client.describe_user(InstanceId=self.instance, UserId=user)["User"] for user in users]
        lists = ["AutoAcceptConfigs", "AfterContactWorkConfigs", "PhoneNumberConfigs"]
        return [{name: user.get(name) for name in lists} for user in described]


class KillTest(unittest.TestCase):
    def drop_twice(self, text, n_kills, look, **options):
        """Drops a file into two centres, in one of which the function is killed. Both must end the same."""
        whole, killed = Centre(), Centre()
        self.addCleanup(whole.close)
        self.addCleanup(killed.close)
        expected = whole.drop("incoming/file.csv", text, **options)
        random.seed(SEED)
        lives = [random.uniform(0.2, 2.5) for _ in range(n_kills)]
        print(f"seed {SEED}: killed after", ", ".join(f"{life:.2f} s" for life in lives))
        before = look(killed)
        answer = killed.drop("incoming/file.csv", text, lives, **options)

        self.assertEqual(answer["rows"], expected["rows"])
        for name in ["results.csv", "retry.csv", "removed.csv", "withheld.csv", "undo.csv"]:
            self.assertEqual(killed.report(answer, name), whole.report(expected, name), name)
        self.assertEqual(look(killed), look(whole))
        summary = killed.report(answer, "summary.json")
        self.assertEqual(int(re.search(r'"deliveries": (\d+)', summary)[1]), n_kills + 1)
        changed = [row for row in csv.DictReader(io.StringIO(killed.report(answer, "undo.csv")))]
        print(f"{answer['rows']['total']} rows, {len(changed)} to be taken back")
        killed.drop("incoming/undo.csv", killed.report(answer, "undo.csv"))
        return before, look(killed), killed.report(answer, "removed.csv")

    def test_killed_six_times_nothing_changes_but_the_time(self):
        text = "user,attribute,value,level\n" + "\n".join(rows()) + "\n"
        before, again, removed = self.drop_twice(text, 6, Centre.held)
        self.assertEqual(again, before)
        self.assertIsNone(removed)

    def test_nor_where_the_file_is_the_whole_truth(self):
        some = [f"agent-{n:05},Language,{LANGUAGES[n % 5]},{1 + n % 5}" for n in range(1, SOME + 1)]
        text = "user,attribute,value,level\n" + "\n".join(some) + "\n"
        options = {"mode": "replace", "max_removals_percent": 100}
        before, again, removed = self.drop_twice(text, 4, Centre.held, **options)
        self.assertEqual(again, before)
        self.assertGreater(removed.count("\n"), 10)

    def test_nor_for_a_plan_and_what_comes_of_it(self):
        """A dry run and its plan, both killed, are the run itself. The first row is nobody's, and protects what it names."""
        some = ["nobody,Product,Billing,1"]
        some += [f"agent-{n:05},Language,{LANGUAGES[n % 5]},{1 + n % 5}" for n in range(1, SOME + 1)]
        text = "user,attribute,value,level\n" + "\n".join(some) + "\n"
        options = {"mode": "replace", "max_removals_percent": 100}
        itself, killed = Centre(), Centre()
        self.addCleanup(itself.close)
        self.addCleanup(killed.close)
        random.seed(SEED)
        lives = lambda: [random.uniform(0.2, 1.5) for _ in range(3)]
        before = killed.held()
        done = itself.drop("incoming/file.csv", text, **options)
        planned = killed.drop("incoming/file.csv", text, lives(), dry_run=True, **options)
        self.assertEqual(killed.held(), before)
        for name in ["removed.csv", "withheld.csv"]:
            self.assertEqual(killed.report(planned, name), itself.report(done, name), name)
        self.assertIn("Billing", itself.report(done, "withheld.csv"))
        plan = killed.report(planned, "plan.csv")
        answer = killed.drop("incoming/plan.csv", plan, lives())
        self.assertEqual(answer["status"], "succeeded")
        self.assertEqual(killed.held(), itself.held())
        print(f"{plan.count(chr(10)) - 1} rows of a plan, killed six times in all")

    def test_nor_for_a_sheet(self):
        """Everybody's first language is taken away, the others are set, some by lists."""
        header = "Agent,Team," + ",".join(f"Language: {language}" for language in LANGUAGES[:2]) + ",Language"
        some = [f"agent-{n:05},North,-,{1 + n % 5},{LANGUAGES[2]} {1 + n % 3}; {LANGUAGES[3]} 2; Klingon 1" for n in range(1, SOME + 1)]
        text = header + "\n" + "\n".join(some) + "\n"
        before, again, removed = self.drop_twice(text, 4, Centre.held, max_removals_percent=100)
        self.assertEqual(again, before)
        self.assertIsNone(removed)

    def test_nor_for_settings_per_channel(self):
        some = [f"agent-{n:05},{channel},{'yes' if n % 3 else 'no'},{n}" for n in range(1, SOME + 1)
                for channel in ["VOICE", "CHAT"]]
        text = "user,channel,auto_accept,after_contact_work_seconds\n" + "\n".join(some) + "\n"
        before, again, _ = self.drop_twice(text, 2, Centre.settings)
        # What was not set before stays: there is no call that takes a setting away.
        for was, now in zip(before, again):
            self.assertEqual(now["PhoneNumberConfigs"], was["PhoneNumberConfigs"])
            for item in was["AutoAcceptConfigs"] or []:
                self.assertIn(item, now["AutoAcceptConfigs"])


if __name__ == "__main__":
    unittest.main()
