"""The template against the sources: what it sets is what the function reads, what it grants is what the function calls.

    pip install -r tests/requirements.txt
    python tests/template_test.py
"""

import hashlib
import json
import re
import unittest
from pathlib import Path
from urllib.parse import unquote_plus

import yaml

ROOT = Path(__file__).resolve().parent.parent

# Where the sources say what they read and call.
CONFIG = "src/settings.rs"
OPERATIONS = "src/connect/operation.rs"
S3_ADAPTER = "src/store/s3"
QUEUE_ADAPTER = "src/lambda/queue.rs"

# Settings that the template leaves out, and why.
NOT_SET = {
    "REPORT_BUCKET": "reports go to the object's own bucket; another one would need permissions of its own",
}

# Names that the function may read, but that are not its settings: Lambda or the SDK sets them.
NOT_OURS = re.compile(r"^(AWS_|RUST_LOG$|_)")

# SDK call -> the actions that IAM asks for. A call that is not here fails the test: look up its actions and add it.
S3_CALLS = {
    "get_object": {"s3:GetObject"},
    "head_object": {"s3:GetObject"},
    "put_object": {"s3:PutObject"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "delete_object": {"s3:DeleteObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "create_multipart_upload": {"s3:PutObject"},
    "upload_part": {"s3:PutObject"},
    "complete_multipart_upload": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
}
READING_CALLS = {"get_object", "head_object", "copy_object"}
SQS_CALLS = {
    "change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "send_message": {"sqs:SendMessage"},
}

# Granted without a call of ours.
GRANTED_TO_LAMBDA = {
    "sqs:ReceiveMessage": "Lambda reads the queue with the function's role",
    "sqs:DeleteMessage": "so it deletes what is done",
    "sqs:GetQueueAttributes": "so it watches the length of the queue",
    "logs:CreateLogStream": "Lambda writes what the function prints",
    "logs:PutLogEvents": "the same",
}

DAY = 24 * 60 * 60
TEMPLATE_THEN_SOURCE = "first: template.yaml; second: the sources"


# --- Reading the template ---------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, read as their long forms."""


def short_tag(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_tag)

TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader)
RESOURCES = TEMPLATE["Resources"]
FUNCTION = RESOURCES["Function"]["Properties"]


def of_type(kind):
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == kind}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(role):
    return [s for policy in RESOURCES[role]["Properties"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]


def actions(role, service=""):
    return {a for s in statements(role) for a in as_list(s["Action"]) if a.startswith(service)}


def resources_of(action):
    """Where the function may do this."""
    return [r for s in statements("FunctionRole") if action in as_list(s["Action"]) for r in as_list(s["Resource"])]


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def keys_under(parameter):
    return {"Fn::Sub": "${Bucket.Arn}/${" + parameter + "}*"}


# --- Reading the sources ----------------------------------------------------------------------------------------------


def rust(path):
    """The source, or all sources of a folder, without comments and without their own tests."""
    place = ROOT / path
    files = sorted(place.glob("*.rs")) if place.is_dir() else [place]
    if not all(file.is_file() for file in files):
        raise AssertionError(f"{path} is missing. If it has moved, change its name in tests/template_test.py")
    texts = [re.split(r"#\[cfg\(test\)\]\s*mod \w+ \{", file.read_text(encoding="utf-8"))[0] for file in files]
    return re.sub(r"(?m)(^|\s)//.*$", "", "\n".join(texts))


def found(path, pattern):
    """All that the pattern finds. Nothing at all means that the source is no longer written as the pattern expects."""
    names = set(re.findall(pattern, rust(path)))
    if not names:
        raise AssertionError(f"nothing in {path} looks like {pattern}")
    return names


def sdk_calls(path, known):
    names = found(path, rf"\.\s*({'|'.join(known)})\(\)")
    unknown = set(re.findall(r"\b(?:client|s3|sqs)\s*\.\s*(\w+)\(\)", rust(path))) - set(known) - {"clone", "config"}
    if unknown:
        raise AssertionError(f"{path} calls {sorted(unknown)}: add their IAM actions to tests/template_test.py")
    return names


# --- The tests --------------------------------------------------------------------------------------------------------


class TemplateMatchesSources(unittest.TestCase):
    maxDiff = None

    def test_environment_is_what_the_function_reads(self):
        read = found(CONFIG, r"""const\s+[A-Z][A-Z0-9_]*\s*:\s*&(?:'static\s+)?str\s*=\s*"([A-Z_][A-Z0-9_]*)"\s*;""")
        settings = {name for name in read if not NOT_OURS.search(name)}
        self.assertLessEqual(set(NOT_SET), settings, "NOT_SET lists a setting that there is not")
        self.assertEqual(set(FUNCTION["Environment"]["Variables"]), settings - set(NOT_SET), TEMPLATE_THEN_SOURCE)

    def test_connect_actions_are_the_operations(self):
        operations = found(OPERATIONS, r'"([A-Z][a-z]+(?:[A-Z][a-z]+)+)"')
        needed = {f"connect:{name}" for name in operations}
        self.assertEqual(actions("FunctionRole", "connect:"), needed, TEMPLATE_THEN_SOURCE)

    def test_s3_actions_are_the_calls(self):
        calls = sdk_calls(S3_ADAPTER, S3_CALLS)
        needed = set().union(*(S3_CALLS[call] for call in calls))
        if calls & READING_CALLS:
            needed.add("s3:ListBucket")  # without it, an object that is not there is answered 403
            if re.search(r"version_id\(", rust(S3_ADAPTER)):
                needed.add("s3:GetObjectVersion")
        self.assertEqual(actions("FunctionRole", "s3:"), needed, TEMPLATE_THEN_SOURCE)

    def test_sqs_actions_are_the_calls_and_lambdas_own(self):
        needed = set().union(*(SQS_CALLS[call] for call in sdk_calls(QUEUE_ADAPTER, SQS_CALLS)))
        lambdas = {action for action in GRANTED_TO_LAMBDA if action.startswith("sqs:")}
        self.assertEqual(actions("FunctionRole", "sqs:"), needed | lambdas, TEMPLATE_THEN_SOURCE)

    def test_the_binary_is_the_package(self):
        package = re.search(r'(?ms)^\[package\]\s*^name = "([^"]+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"))
        self.assertEqual(RESOURCES["Function"]["Metadata"]["BuildProperties"]["Binary"], package.group(1))


class Permissions(unittest.TestCase):
    def test_no_resource_is_everything(self):
        for role in of_type("AWS::IAM::Role"):
            for statement in statements(role):
                for resource in as_list(statement["Resource"]):
                    with self.subTest(role=role, action=statement["Action"]):
                        self.assertIsInstance(resource, dict, "not built from anything")
                        if "Fn::GetAtt" not in resource:  # that is a resource of the stack
                            begins = ("${Bucket.Arn}/", "arn:${AWS::Partition}:connect:")
                            self.assertTrue(resource["Fn::Sub"].startswith(begins), resource)

    def test_no_action_is_a_pattern(self):
        for role in of_type("AWS::IAM::Role"):
            for action in actions(role):
                self.assertNotIn("*", action, role)

    def test_all_policies_are_written_here(self):
        for role, properties in of_type("AWS::IAM::Role").items():
            self.assertNotIn("ManagedPolicyArns", properties, role)
        self.assertEqual(FUNCTION["Role"], arn("FunctionRole"))
        self.assertNotIn("Policies", FUNCTION)

    def test_the_function_has_no_other_services(self):
        services = {action.split(":")[0] for action in actions("FunctionRole")}
        self.assertEqual(services, {"connect", "s3", "sqs", "logs"})
        logs = {action for action in GRANTED_TO_LAMBDA if action.startswith("logs:")}
        self.assertEqual(actions("FunctionRole", "logs:"), logs)

    def test_what_is_about_a_user_needs_the_instance_and_the_agents(self):
        instance = "arn:${AWS::Partition}:connect:${AWS::Region}:${AWS::AccountId}:instance/${ConnectInstanceId}"
        for action in actions("FunctionRole", "connect:"):
            expected = [{"Fn::Sub": instance}]
            if action.endswith("UserProficiencies") or action in ("connect:DescribeUser", "connect:UpdateUserConfig"):
                expected.append({"Fn::Sub": instance + "/agent/*"})
            self.assertEqual(resources_of(action), expected, action)

    def test_each_s3_action_is_where_it_is_needed(self):
        everywhere = [{"Fn::Sub": "${Bucket.Arn}/*"}]
        expected = {
            "s3:GetObject": everywhere,
            "s3:GetObjectVersion": everywhere,
            "s3:ListBucket": [arn("Bucket")],
            "s3:PutObject": [keys_under("ReportPrefix"), keys_under("StatePrefix")],
            "s3:AbortMultipartUpload": [keys_under("ReportPrefix"), keys_under("StatePrefix")],
            "s3:DeleteObject": [
                keys_under("StatePrefix"),
                {"Fn::Sub": "${Bucket.Arn}/${ReportPrefix}*/retry.csv"},
                {"Fn::Sub": "${Bucket.Arn}/${ReportPrefix}*/undo.csv"},
                {"Fn::Sub": "${Bucket.Arn}/${ReportPrefix}*/removed.csv"},
            ],
        }
        self.assertEqual({action: resources_of(action) for action in actions("FunctionRole", "s3:")}, expected)

    def test_the_queue_and_the_logs_are_the_stacks_own(self):
        for service, resource in (("sqs:", "Queue"), ("logs:", "LogGroup")):
            for action in actions("FunctionRole", service):
                expected = "DeadLetters" if action == "sqs:SendMessage" else resource
                self.assertEqual(resources_of(action), [arn(expected)], action)

    def test_the_scheduler_may_only_send(self):
        (statement,) = statements("ScheduleRole")
        self.assertEqual(statement["Action"], "sqs:SendMessage")
        self.assertEqual(statement["Resource"], [arn("Queue"), arn("ScheduleDeadLetters")])


class Bucket(unittest.TestCase):
    bucket = RESOURCES["Bucket"]["Properties"]
    lifecycle = bucket["LifecycleConfiguration"]["Rules"]

    def test_it_outlives_the_stack(self):
        self.assertIn(RESOURCES["Bucket"]["DeletionPolicy"], ("Retain", "RetainExceptOnCreate"))
        self.assertEqual(RESOURCES["Bucket"]["UpdateReplacePolicy"], "Retain")

    def test_it_is_closed(self):
        self.assertEqual(set(self.bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(self.bucket["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.assertIn("BucketEncryption", self.bucket)
        self.assertTrue(tls_only(RESOURCES["BucketPolicy"]["Properties"]))

    def test_it_keeps_versions_and_tells_eventbridge(self):
        self.assertEqual(self.bucket["VersioningConfiguration"], {"Status": "Enabled"})
        notifications = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
        self.assertEqual(self.bucket["NotificationConfiguration"], notifications)

    def test_only_state_expires_and_nothing_of_it_stays(self):
        deleting = [r for r in self.lifecycle if set(r) - {"Id", "Status", "AbortIncompleteMultipartUpload"}]
        # Of the reports, only what was written over goes: summary.json is renewed while an import runs.
        earlier = [r for r in deleting if r["Prefix"] == {"Ref": "ReportPrefix"}]
        self.assertEqual([set(r) for r in earlier], [{"Id", "Status", "Prefix", "NoncurrentVersionExpiration"}])
        deleting = [r for r in deleting if r not in earlier]
        for rule in deleting:
            self.assertEqual((rule["Prefix"], rule["Status"]), ({"Ref": "StatePrefix"}, "Enabled"), rule["Id"])
        self.assertEqual([r["ExpirationInDays"] for r in deleting if "ExpirationInDays" in r], [30])
        self.assertTrue(any(r.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays") for r in deleting))
        # S3 refuses the two in one rule.
        markers = [r for r in deleting if r.get("ExpiredObjectDeleteMarker")]
        self.assertEqual(len(markers), 1)
        self.assertNotIn("ExpirationInDays", markers[0])

    def test_unfinished_uploads_go_everywhere(self):
        (rule,) = [r for r in self.lifecycle if "AbortIncompleteMultipartUpload" in r]
        self.assertNotIn("Prefix", rule)


class Queues(unittest.TestCase):
    queues = of_type("AWS::SQS::Queue")
    queue = queues["Queue"]
    rule = RESOURCES["ObjectCreatedRule"]["Properties"]
    target = RESOURCES["Schedule"]["Properties"]["Target"]

    def test_visibility_is_the_timeout_and_a_minute(self):
        self.assertEqual(FUNCTION["Timeout"], 900)
        self.assertEqual(self.queue["VisibilityTimeout"], FUNCTION["Timeout"] + 60)

    def test_every_queue_is_encrypted_by_sqs_and_keeps_for_14_days(self):
        for name, queue in self.queues.items():
            with self.subTest(name):
                self.assertEqual(queue["MessageRetentionPeriod"], 14 * DAY)
                self.assertIs(queue["SqsManagedSseEnabled"], True)
                self.assertNotIn("KmsMasterKeyId", queue)

    def test_every_queue_is_tls_only(self):
        closed = {q["Ref"] for p in of_type("AWS::SQS::QueuePolicy").values() if tls_only(p) for q in p["Queues"]}
        self.assertEqual(closed, set(self.queues))

    def test_fifo_where_it_must_be_and_only_there(self):
        fifo = {name for name, queue in self.queues.items() if queue.get("FifoQueue")}
        self.assertEqual(fifo, {"Queue", "DeadLetters"})
        self.assertIs(self.queue["ContentBasedDeduplication"], True)

    def test_dead_letters(self):
        redrive = {"deadLetterTargetArn": arn("DeadLetters"), "maxReceiveCount": 200}
        self.assertEqual(self.queue["RedrivePolicy"], redrive)
        self.assertEqual(self.rule["Targets"][0]["DeadLetterConfig"], {"Arn": arn("RuleDeadLetters")})
        self.assertEqual(self.target["DeadLetterConfig"], {"Arn": arn("ScheduleDeadLetters")})

    def test_only_the_rule_may_send_to_its_queues(self):
        for name in ("Queue", "RuleDeadLetters"):
            policy = RESOURCES[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]
            (allowed,) = [s for s in policy if s["Effect"] == "Allow"]
            self.assertEqual(allowed["Principal"], {"Service": "events.amazonaws.com"})
            self.assertEqual(allowed["Action"], "sqs:SendMessage")
            self.assertEqual(allowed["Resource"], arn(name))
            self.assertEqual(allowed["Condition"], {"ArnEquals": {"aws:SourceArn": arn("ObjectCreatedRule")}})

    def test_the_rule_takes_the_import_folder_alone(self):
        pattern = self.rule["EventPattern"]
        self.assertEqual((pattern["source"], pattern["detail-type"]), (["aws.s3"], ["Object Created"]))
        self.assertEqual(pattern["detail"]["bucket"]["name"], [{"Ref": "Bucket"}])
        self.assertEqual(pattern["detail"]["object"]["key"], [{"prefix": {"Ref": "ImportPrefix"}}])

    def test_rule_and_schedule_send_to_one_group_of_one_queue(self):
        (target,) = self.rule["Targets"]
        self.assertEqual(target["Arn"], arn("Queue"))
        self.assertEqual(self.target["Arn"], arn("Queue"))
        self.assertEqual(target["SqsParameters"], self.target["SqsParameters"])
        self.assertTrue(target["SqsParameters"]["MessageGroupId"])

    def test_the_function_takes_one_message_at_a_time_and_may_give_it_back(self):
        (source,) = FUNCTION["Events"].values()
        self.assertEqual(source["Properties"]["Queue"], arn("Queue"))
        self.assertEqual(source["Properties"]["BatchSize"], 1)
        self.assertEqual(source["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"])


class Parameters(unittest.TestCase):
    parameters = TEMPLATE["Parameters"]

    def test_only_the_instance_must_be_given(self):
        self.assertEqual([n for n, p in self.parameters.items() if "Default" not in p], ["ConnectInstanceId"])

    def test_each_is_described_shown_once_and_used(self):
        groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        self.assertEqual(sorted(p for g in groups for p in g["Parameters"]), sorted(self.parameters))
        used = json.dumps([RESOURCES, TEMPLATE["Conditions"]])
        for name, parameter in self.parameters.items():
            self.assertTrue(parameter.get("Description"), name)
            self.assertTrue(f'"{name}"' in used or "${" + name + "}" in used, name)

    def test_each_default_is_allowed(self):
        for name, parameter in self.parameters.items():
            default = parameter.get("Default")
            if default is not None and "AllowedPattern" in parameter:
                self.assertRegex(default, parameter["AllowedPattern"], name)
            if default is not None and "AllowedValues" in parameter:
                self.assertIn(default, parameter["AllowedValues"], name)

    def test_folders_cannot_lie_within_one_another(self):
        for name in ("ImportPrefix", "ReportPrefix", "StatePrefix"):
            self.assertNotRegex("hr/incoming/", self.parameters[name]["AllowedPattern"])
        self.assertEqual(len(TEMPLATE["Rules"]["FoldersDiffer"]["Assertions"]), 3)

    def test_a_setting_that_may_be_empty_is_then_not_set(self):
        for name, value in FUNCTION["Environment"]["Variables"].items():
            parameter = value.get("Ref")
            if name == "DEAD_LETTER_QUEUE_URL":
                self.assertEqual(value, {"Ref": "DeadLetters"}, "a queue of the stack, and no parameter")
                continue
            if parameter is None:
                condition, given, otherwise = value["Fn::If"]
                self.assertIn(condition, TEMPLATE["Conditions"])
                self.assertEqual(otherwise, {"Ref": "AWS::NoValue"}, name)
                parameter = given["Ref"]
                self.assertEqual(self.parameters[parameter]["Default"], "", name)
            else:
                self.assertNotEqual(self.parameters[parameter].get("Default"), "", name)
            self.assertEqual(re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper(), name)


class Events(unittest.TestCase):
    """The samples are what the stack's own queue would deliver."""

    def test_messages_hold_together(self):
        for name in ("sqs-eventbridge", "sqs-s3", "sqs-request"):
            for message in event(name)["Records"]:
                body, attributes = message["body"].encode(), message["attributes"]
                self.assertEqual(message["md5OfBody"], hashlib.md5(body).hexdigest(), name)
                if message["eventSourceARN"].endswith(".fifo"):
                    self.assertEqual(attributes["MessageDeduplicationId"], hashlib.sha256(body).hexdigest(), name)
                    self.assertEqual(attributes["MessageGroupId"], Queues.target["SqsParameters"]["MessageGroupId"])

    def test_the_same_object_in_each_form(self):
        plain = event("eventbridge-object-created")
        (queued,) = bodies("sqs-eventbridge")
        self.assertEqual(queued, plain)
        (record,) = event("s3-put")["Records"]
        self.assertEqual(bodies("sqs-s3")[0]["Records"][0], record)
        there, here = plain["detail"]["object"], record["s3"]["object"]
        self.assertEqual(unquote_plus(here["key"]), there["key"])
        for one, other in (("versionId", "version-id"), ("eTag", "etag"), ("sequencer", "sequencer"), ("size", "size")):
            self.assertEqual(here[one], there[other])

    def test_the_scheduled_request_is_the_schedules(self):
        text = Queues.target["Input"]["Fn::Sub"]
        (sample,) = bodies("sqs-request")
        values = {
            "${Bucket}": "connect-bulk-import-111122223333",
            "${ScheduleSource}": TEMPLATE["Parameters"]["ScheduleSource"]["Default"],
            "${ScheduleMode}": sample["mode"],
            "<aws.scheduler.scheduled-time>": "2026-11-22T02:00:00Z",
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        self.assertEqual(json.loads(text), sample)


def tls_only(policy):
    """Whether a bucket or queue policy refuses what does not come over TLS."""
    return any(
        s["Effect"] == "Deny" and s["Principal"] == "*" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for s in policy["PolicyDocument"]["Statement"]
    )


def event(name):
    return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))


def bodies(name):
    return [json.loads(message["body"]) for message in event(name)["Records"]]


if __name__ == "__main__":
    unittest.main()
