"""The emulator as another AWS client sees it: boto3, over a socket."""

import os
import pathlib
import re
import subprocess
import unittest

import boto3
import botocore.exceptions
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parent.parent
EMULATOR = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "connect-emulator"
USER = "00000000-0000-4000-8000-000000000001"


class Emulator:
    def __init__(self, *flags):
        command = [EMULATOR, "--port", "0", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        banner = ""
        while not re.search(r"instance [0-9a-f-]{36}", banner):
            banner += self.process.stdout.readline()
        self.instance = re.search(r"instance ([0-9a-f-]{36})", banner)[1]
        self.url = re.search(r"http://\S+", banner)[0]
        self.client = self.client_of("connect")

    def client_of(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def call(self, name, **arguments):
        return getattr(self.client, name)(InstanceId=self.instance, **arguments)

    def held(self):
        held = self.call("list_user_proficiencies", UserId=USER)["UserProficiencyList"]
        return {(item["AttributeName"], item["AttributeValue"]): item["Level"] for item in held}


def item(value, level=None):
    item = {"AttributeName": "Language", "AttributeValue": value}
    return item if level is None else {**item, "Level": level}


class EmulatorTest(unittest.TestCase):
    def test_reads_and_writes(self):
        with Emulator("--rate", "0", "--users", "2500") as emulator:
            pages = emulator.client.get_paginator("list_users").paginate(InstanceId=emulator.instance)
            self.assertEqual(len({user["Id"] for page in pages for user in page["UserSummaryList"]}), 2500)
            attributes = emulator.call("search_predefined_attributes")["PredefinedAttributes"]
            language = next(attribute for attribute in attributes if attribute["Name"] == "Language")
            described = emulator.call("describe_predefined_attribute", Name="Language")["PredefinedAttribute"]
            self.assertEqual(described["Values"], language["Values"])

            before = emulator.held()
            new = [value for value in language["Values"]["StringList"] if ("Language", value) not in before][:2]
            emulator.call("associate_user_proficiencies", UserId=USER, UserProficiencies=[item(v, 3.0) for v in new])
            emulator.call("update_user_proficiencies", UserId=USER, UserProficiencies=[item(new[0], 5.0)])
            emulator.call("disassociate_user_proficiencies", UserId=USER, UserProficiencies=[item(new[1])])
            self.assertEqual(emulator.held(), {**before, ("Language", new[0]): 5.0})

    def test_settings_per_channel(self):
        with Emulator("--rate", "0", "--config-lists", "whole") as emulator:
            user = emulator.call("describe_user", UserId=USER)["User"]
            self.assertEqual(user["Username"], "agent-00001")
            lists = {
                "AutoAcceptConfigs": [{"Channel": "VOICE", "AutoAccept": True, "AgentFirstCallbackAutoAccept": True}],
                "AfterContactWorkConfigs": [
                    {"Channel": "CHAT", "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 90}},
                ],
                "PersistentConnectionConfigs": [{"Channel": "VOICE", "PersistentConnection": True}],
                "VoiceEnhancementConfigs": [{"Channel": "VOICE", "VoiceEnhancementMode": "VOICE_ISOLATION"}],
            }
            emulator.call("update_user_config", UserId=USER, **lists)
            after = emulator.call("describe_user", UserId=USER)["User"]
            self.assertEqual({name: after[name] for name in lists}, lists)
            self.assertEqual(after["PhoneNumberConfigs"], user["PhoneNumberConfigs"])
            with self.assertRaises(emulator.client.exceptions.InvalidParameterException):
                phone = [{"Channel": "VOICE", "PhoneType": "DESK_PHONE"}]
                emulator.call("update_user_config", UserId=USER, PhoneNumberConfigs=phone)

    def test_after_contact_work_without_its_time_limit(self):
        without = [{"Channel": "VOICE", "AfterContactWorkConfig": {}}]
        with Emulator("--rate", "0") as emulator, self.assertRaises(emulator.client.exceptions.InvalidParameterException):
            emulator.call("update_user_config", UserId=USER, AfterContactWorkConfigs=without)
        zero = [{"Channel": "VOICE", "AfterContactWorkConfig": {"AfterContactWorkTimeLimit": 0}}]
        for value, expected in (("zero", zero), ("unset", None)):
            with Emulator("--rate", "0", "--missing-time-limit", value) as emulator:
                emulator.call("update_user_config", UserId=USER, AfterContactWorkConfigs=without)
                user = emulator.call("describe_user", UserId=USER)["User"]
                self.assertEqual(user.get("AfterContactWorkConfigs"), expected)

    def test_refusals_have_the_codes_of_the_model(self):
        with Emulator("--rate", "0") as emulator:
            errors = emulator.client.exceptions
            with self.assertRaises(errors.ResourceNotFoundException):
                emulator.call("list_user_proficiencies", UserId="nobody")
            with self.assertRaises(errors.InvalidParameterException):
                emulator.call("associate_user_proficiencies", UserId=USER, UserProficiencies=[item("Klingon", 3.0)])

    def test_quotas_throttle(self):
        with Emulator("--rate", "0.01", "--burst", "2") as emulator:
            emulator.held()
            emulator.held()
            with self.assertRaises(emulator.client.exceptions.ThrottlingException):
                emulator.held()

    def test_service_quotas_lists_what_is_granted(self):
        with Emulator("--rate", "2", "--rate-of", "ListUserProficiencies=10", "--page-size-cap", "4") as emulator:
            service_quotas = emulator.client_of("service-quotas")
            pages = list(service_quotas.get_paginator("list_service_quotas").paginate(ServiceCode="connect"))
            self.assertEqual([len(page["Quotas"]) for page in pages], [4, 4, 4, 3])
            values = {quota["QuotaCode"]: quota["Value"] for page in pages for quota in page["Quotas"]}
            self.assertEqual((values["L-A59C54EE"], values["L-2CCBA953"], values["L-50375162"]), (10, 2, 10))
            with self.assertRaises(service_quotas.exceptions.NoSuchResourceException):
                service_quotas.list_service_quotas(ServiceCode="s3")

    def test_faults_by_script(self):
        script = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"faults-{os.getpid()}.json"
        script.write_text('{"rules":[{"when":{"nth":1},"fault":"cut_after"},{"when":{"nth":2},"fault":"bare503"}]}')
        self.addCleanup(script.unlink)
        with Emulator("--rate", "0", "--faults", str(script)) as emulator:
            with self.assertRaises(botocore.exceptions.ConnectionClosedError):
                emulator.held()
            with self.assertRaises(botocore.exceptions.ClientError) as refused:
                emulator.held()
            self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
            emulator.held()


if __name__ == "__main__":
    unittest.main()
