"""The template against the sources: what it sets is what the function reads, what it grants is what the function calls.

    pip install -r tests/requirements.txt
    python tests/template_test.py
"""

import copy
import hashlib
import json
import re
import subprocess
import tempfile
import tomllib
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
BUS_ADAPTER = "src/lambda/event_bus.rs"
TOPIC_ADAPTER = "src/lambda/topic.rs"
REQUEST = "src/import/request.rs"
REPORT_NAMES = "src/report/mod.rs"
EXPORTS = ["src/kind/proficiency/export.rs", "src/kind/user_config/export.rs"]

# Settings that the template leaves out, and why.
NOT_SET = {}

# Settings that have no parameter: the template knows their values.
FROM_THE_STACK = {
    "REPORT_BUCKET": {"Fn::If": ["MakesBucket", {"Ref": "Bucket"}, {"Ref": "ExistingBucketName"}]},
    "DEAD_LETTER_QUEUE_URL": {"Ref": "DeadLetters"},
    "NOTICE_TOPIC_ARN": {"Ref": "Topic"},
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
    "get_bucket_notification_configuration": {"s3:GetBucketNotification"},
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
EVENTS_CALLS = {"put_events": {"events:PutEvents"}}
SNS_CALLS = {"publish": {"sns:Publish"}}

# Granted without a call of ours.
GRANTED_TO_LAMBDA = {
    "sqs:ReceiveMessage": "Lambda reads the queue with the function's role",
    "sqs:DeleteMessage": "so it deletes what is done",
    "sqs:GetQueueAttributes": "so it watches the length of the queue",
    "logs:CreateLogStream": "Lambda writes what the function prints",
    "logs:PutLogEvents": "the same",
    "kms:Decrypt": "S3, SQS and SNS use the key for the function",
    "kms:GenerateDataKey": "the same",
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
PARAMETERS = TEMPLATE["Parameters"]

# For each parameter: the setting that it becomes, if any; "good" values, which the template and the function accept;
# "bad" ones, which both refuse; "narrower" ones, which only the function accepts.
TABLE = json.loads((ROOT / "tests/parameters.json").read_text(encoding="utf-8"))


def accepts(parameter, value):
    """Whether CloudFormation takes the value. Its patterns must match the whole of it."""
    rule = PARAMETERS[parameter]
    if "AllowedValues" in rule and value not in map(str, rule["AllowedValues"]):
        return False
    if rule["Type"] == "Number":
        is_number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[0-9]+)?", value)
        return bool(is_number) and rule.get("MinValue", 0) <= float(value) <= rule.get("MaxValue", float("inf"))
    return bool(re.fullmatch(rule.get("AllowedPattern", ".*"), value)) and len(value) <= rule.get("MaxLength", 4096)


INSTANCE = "11111111-2222-3333-4444-555555555555"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/" + INSTANCE
BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"
# All that a stack can have that makes its bucket.
EVERYTHING = {
    "RequestRates": '{"ListUsers":{"rate":1}}',
    "TotalRequestsPerSecond": "10",
    "ScheduleExpression": "rate(1 day)",
    "ScheduleUnassignedRows": "ignore",
    "ScheduleRecheckDays": "0",
    "ScheduleDryRun": "true",
    "ScheduleMaxAgeHours": "36.5",
    "RetainFilesDays": "365",
    "RetainReportsDays": "730",
    "NoticeEmail": "ops@example.com",
    "EventBusName": "default",
    "Dashboard": "true",
    "KmsKeyArn": KEY,
    "PermissionsBoundaryArn": BOUNDARY,
}


class Stack:
    """What CloudFormation would make of the template with these parameters: conditions decided, parameters filled in,
    and what is not there left out. References to resources stay, and must be to resources that are there."""

    GONE = object()

    def __init__(self, **given):
        self.values = {n: str(p.get("Default", "")) for n, p in PARAMETERS.items()}
        self.values |= {"ConnectInstanceId": INSTANCE} | given
        made = {n: r for n, r in RESOURCES.items() if self.holds(r.get("Condition"))}
        self.types = {n: r["Type"] for n, r in made.items()}
        self.resources = {n: self.resolved(r.get("Properties", {})) for n, r in made.items()}
        outputs = {n: o for n, o in TEMPLATE["Outputs"].items() if self.holds(o.get("Condition"))}
        self.outputs = {n: self.resolved(o["Value"]) for n, o in outputs.items()}

    def holds(self, condition):
        """Whether a condition, by its name or in full, is true. No condition is."""
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(TEMPLATE["Conditions"][condition])
        ((name, value),) = condition.items()
        if name == "Condition":
            return self.holds(value)
        if name == "Fn::Equals":
            one, other = map(self.resolved, value)
            return one == other
        if name == "Fn::Not":
            return not self.holds(value[0])
        assert name == "Fn::And", name
        return all(map(self.holds, value))

    def resolved(self, value):
        if isinstance(value, list):
            items = [self.resolved(item) for item in value]
            return [item for item in items if item is not self.GONE]
        if not isinstance(value, dict):
            return value
        name, inner = next(iter(value.items()), (None, None))
        if name == "Ref":
            return self.GONE if inner == "AWS::NoValue" else self.reference(inner, value)
        if name == "Fn::GetAtt":
            return self.reference(inner[0], value)
        if name == "Fn::If":
            condition, then, otherwise = inner
            return self.resolved(then if self.holds(condition) else otherwise)
        if name == "Fn::Sub":
            text, own = (inner, {}) if isinstance(inner, str) else inner
            own = {n: self.resolved(v) for n, v in own.items()}
            return re.sub(r"\$\{([\w:.]+)\}", lambda match: self.filled_in(match[1], own), text)
        items = {n: self.resolved(v) for n, v in value.items()}
        return {n: item for n, item in items.items() if item is not self.GONE}

    def filled_in(self, name, own):
        """What `${name}` stands for in a text. That of a resource stays as it is."""
        value = own.get(name, self.values.get(name))
        if isinstance(value, dict):
            ((_, value),) = value.items()
            return "${" + (value if isinstance(value, str) else ".".join(value)) + "}"
        if value is None:
            self.reference(name.split(".")[0], None)
            return "${" + name + "}"
        return value

    def reference(self, name, value):
        if name in self.values:
            return self.values[name]
        if not name.startswith("AWS::") and name not in self.types:
            raise AssertionError(f"a reference to {name}, which is not made with these parameters")
        return value

    def of_type(self, kind):
        return {name: self.resources[name] for name, type_ in self.types.items() if type_ == kind}

    def statements(self, role):
        return [s for p in self.resources[role]["Policies"] for s in p["PolicyDocument"]["Statement"]]

    def actions(self, role, service=""):
        return {a for s in self.statements(role) for a in as_list(s["Action"]) if a.startswith(service)}

    def resources_of(self, action):
        """Where the function may do this."""
        granting = [s for s in self.statements("FunctionRole") if action in as_list(s["Action"])]
        return [resource for s in granting for resource in as_list(s["Resource"])]


def as_list(value):
    return value if isinstance(value, list) else [value]


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def ref(name):
    return {"Ref": name}


def in_bucket(path, bucket="${Bucket}"):
    return "arn:${AWS::Partition}:s3:::" + bucket + path


DEFAULT = Stack()
FULL = Stack(**EVERYTHING)
EXISTING_BUCKET = Stack(**EVERYTHING, ExistingBucketName="hr-files")


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
    called = set(re.findall(r"\b(?:client|s3|sqs|sns|events)\s*\.\s*(\w+)\(\)", rust(path)))
    unknown = called - set(known) - {"clone", "config"}
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
        set_here = {name for name in FUNCTION["Environment"]["Variables"] if not NOT_OURS.search(name)}
        self.assertEqual(set_here, settings - set(NOT_SET), TEMPLATE_THEN_SOURCE)

    def test_connect_actions_are_the_operations(self):
        operations = found(OPERATIONS, r'"([A-Z][a-z]+(?:[A-Z][a-z]+)+)"')
        needed = {f"connect:{name}" for name in operations}
        self.assertEqual(FULL.actions("FunctionRole", "connect:"), needed, TEMPLATE_THEN_SOURCE)

    def test_s3_actions_are_the_calls(self):
        calls = sdk_calls(S3_ADAPTER, S3_CALLS)
        needed = set().union(*(S3_CALLS[call] for call in calls))
        if calls & READING_CALLS:
            needed.add("s3:ListBucket")  # without it, an object that is not there is answered 403
            if re.search(r"version_id\(", rust(S3_ADAPTER)):
                needed.add("s3:GetObjectVersion")
        self.assertEqual(FULL.actions("FunctionRole", "s3:"), needed, TEMPLATE_THEN_SOURCE)

    def test_sqs_actions_are_the_calls_and_lambdas_own(self):
        needed = set().union(*(SQS_CALLS[call] for call in sdk_calls(QUEUE_ADAPTER, SQS_CALLS)))
        lambdas = {action for action in GRANTED_TO_LAMBDA if action.startswith("sqs:")}
        self.assertEqual(FULL.actions("FunctionRole", "sqs:"), needed | lambdas, TEMPLATE_THEN_SOURCE)

    def test_events_actions_are_the_calls(self):
        needed = set().union(*(EVENTS_CALLS[call] for call in sdk_calls(BUS_ADAPTER, EVENTS_CALLS)))
        self.assertEqual(FULL.actions("FunctionRole", "events:"), needed, TEMPLATE_THEN_SOURCE)

    def test_sns_actions_are_the_calls(self):
        needed = set().union(*(SNS_CALLS[call] for call in sdk_calls(TOPIC_ADAPTER, SNS_CALLS)))
        self.assertEqual(FULL.actions("FunctionRole", "sns:"), needed, TEMPLATE_THEN_SOURCE)

    def test_the_operations_with_rates_are_those_that_are_called(self):
        operations = found(OPERATIONS, r'"([A-Z][a-z]+(?:[A-Z][a-z]+)+)"')
        pattern = PARAMETERS["RequestRates"]["AllowedPattern"]
        self.assertEqual(set(re.search(r"\(([A-Za-z]+(?:\|[A-Za-z]+)+)\)", pattern)[1].split("|")), operations)
        for operation in operations:
            self.assertRegex('{"' + operation + '":{"rate":10}}', pattern)

    def test_the_binary_is_the_package_built_as_it_is_tested(self):
        manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
        self.assertEqual(RESOURCES["Function"]["Metadata"]["BuildProperties"]["Binary"], manifest["package"]["name"])
        self.assertEqual(FUNCTION["Architectures"], ["arm64"])
        # Where the profile says nothing, cargo-lambda builds with "abort".
        self.assertEqual(manifest["profile"]["release"].get("panic"), "unwind")


class Permissions(unittest.TestCase):
    def test_no_resource_is_everything(self):
        begins = (in_bucket(""), "arn:${AWS::Partition}:connect:", "arn:${AWS::Partition}:events:", KEY)
        for role in FULL.of_type("AWS::IAM::Role"):
            for statement in FULL.statements(role):
                if statement["Action"] == "servicequotas:ListServiceQuotas":
                    self.assertEqual(statement["Resource"], "*", "IAM knows no resources for it")
                    continue
                for resource in as_list(statement["Resource"]):
                    with self.subTest(role=role, action=statement["Action"]):
                        if not isinstance(resource, dict):  # else it is a resource of the stack
                            self.assertTrue(resource.startswith(begins), resource)

    def test_no_action_is_a_pattern(self):
        for role in FULL.of_type("AWS::IAM::Role"):
            for action in FULL.actions(role):
                self.assertNotIn("*", action, role)

    def test_all_policies_are_written_here(self):
        for role, properties in FULL.of_type("AWS::IAM::Role").items():
            self.assertNotIn("ManagedPolicyArns", properties, role)
        self.assertEqual(FUNCTION["Role"], arn("FunctionRole"))
        self.assertNotIn("Policies", FUNCTION)

    def test_the_function_has_no_other_services(self):
        services = {"connect", "servicequotas", "s3", "sqs", "sns", "logs"}
        self.assertEqual({action.split(":")[0] for action in DEFAULT.actions("FunctionRole")}, services)
        with_all = {action.split(":")[0] for action in FULL.actions("FunctionRole")}
        self.assertEqual(with_all, services | {"events", "kms"})
        for service in ("logs:", "kms:"):
            granted = {action for action in GRANTED_TO_LAMBDA if action.startswith(service)}
            self.assertEqual(FULL.actions("FunctionRole", service), granted)
        self.assertEqual(FULL.actions("FunctionRole", "servicequotas:"), {"servicequotas:ListServiceQuotas"})

    def test_what_is_about_a_user_needs_the_instance_and_the_agents(self):
        instance = "arn:${AWS::Partition}:connect:${AWS::Region}:${AWS::AccountId}:instance/" + INSTANCE
        for action in FULL.actions("FunctionRole", "connect:"):
            expected = [instance]
            if action.endswith("UserProficiencies") or action in ("connect:DescribeUser", "connect:UpdateUserConfig"):
                expected.append(instance + "/agent/*")
            self.assertEqual(FULL.resources_of(action), expected, action)

    def test_each_s3_action_is_where_it_is_needed(self):
        for stack, bucket in ((DEFAULT, "${Bucket}"), (FULL, "${Bucket}"), (EXISTING_BUCKET, "hr-files")):
            paths = {
                "s3:GetObject": ["/*"],
                "s3:GetObjectVersion": ["/*"],
                "s3:ListBucket": [""],
                "s3:GetBucketNotification": [""],
                "s3:PutObject": ["/reports/*", "/state/*"],
                "s3:AbortMultipartUpload": ["/reports/*", "/state/*"],
                "s3:DeleteObject": [
                    "/state/*",
                    "/reports/*/retry.csv",
                    "/reports/*/undo.csv",
                    "/reports/*/removed.csv",
                    "/reports/*/plan.csv",
                    "/reports/*/withheld.csv",
                    "/reports/export/*/left_out.csv",
                    "/reports/export/*/proficiencies.csv",
                    "/reports/export/*/user_config.csv",
                ],
            }
            expected = {action: [in_bucket(path, bucket) for path in paths[action]] for action in paths}
            granted = {action: stack.resources_of(action) for action in stack.actions("FunctionRole", "s3:")}
            self.assertEqual(granted, expected)

    def test_every_table_may_be_deleted_that_a_later_delivery_has_no_use_for(self):
        granted = {path.rsplit("/", 1)[1] for path in FULL.resources_of("s3:DeleteObject")} - {"*"}
        tables = found(REPORT_NAMES, r'= "([a-z_]+\.csv)"') - {"results.csv"}  # which is always there
        for kind in EXPORTS:
            tables |= found(kind, r'TABLE: &\'static str = "([a-z_]+\.csv)"')
        self.assertEqual(granted, tables, TEMPLATE_THEN_SOURCE)

    def test_queue_logs_and_topic_are_the_stacks_own(self):
        for service, resource in (("sqs:", arn("Queue")), ("logs:", arn("LogGroup")), ("sns:", ref("Topic"))):
            for action in FULL.actions("FunctionRole", service):
                expected = arn("DeadLetters") if action == "sqs:SendMessage" else resource
                self.assertEqual(FULL.resources_of(action), [expected], action)

    def test_events_go_to_the_bus_that_is_named(self):
        bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
        self.assertEqual(FULL.resources_of("events:PutEvents"), [bus])

    def test_the_key_is_used_through_the_services_alone(self):
        for role, services in (("FunctionRole", ["s3", "sqs", "sns"]), ("ScheduleRole", ["sqs"])):
            (statement,) = [s for s in FULL.statements(role) if s["Resource"] == KEY]
            via = [service + ".${AWS::Region}.amazonaws.com" for service in services]
            self.assertEqual(list(statement["Condition"]), ["StringEquals"])
            self.assertEqual(as_list(statement["Condition"]["StringEquals"]["kms:ViaService"]), via)

    def test_the_scheduler_may_only_send(self):
        (statement,) = Stack(ScheduleExpression="rate(1 day)").statements("ScheduleRole")
        self.assertEqual(statement["Action"], "sqs:SendMessage")
        self.assertEqual(statement["Resource"], [arn("Queue"), arn("ScheduleDeadLetters")])
        self.assertEqual(FULL.actions("ScheduleRole"), {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"})

    def test_every_role_takes_the_boundary(self):
        for role, properties in FULL.of_type("AWS::IAM::Role").items():
            self.assertEqual(properties["PermissionsBoundary"], BOUNDARY, role)
        self.assertNotIn("PermissionsBoundary", DEFAULT.resources["FunctionRole"])


class Bucket(unittest.TestCase):
    bucket = DEFAULT.resources["Bucket"]

    @staticmethod
    def lifecycle(stack):
        return stack.resources["Bucket"]["LifecycleConfiguration"]["Rules"]

    def test_it_outlives_the_stack(self):
        self.assertIn(RESOURCES["Bucket"]["DeletionPolicy"], ("Retain", "RetainExceptOnCreate"))
        self.assertEqual(RESOURCES["Bucket"]["UpdateReplacePolicy"], "Retain")

    def test_it_is_closed(self):
        self.assertEqual(set(self.bucket["PublicAccessBlockConfiguration"].values()), {True})
        self.assertEqual(self.bucket["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.assertTrue(tls_only(DEFAULT.resources["BucketPolicy"], "s3:*"))

    def test_it_is_encrypted(self):
        def encryption(stack):
            (rule,) = stack.resources["Bucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            return rule

        self.assertEqual(encryption(DEFAULT), {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}})
        by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        self.assertEqual(encryption(FULL), {"ServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True})

    def test_it_keeps_versions_and_tells_eventbridge(self):
        self.assertEqual(self.bucket["VersioningConfiguration"], {"Status": "Enabled"})
        notifications = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
        self.assertEqual(self.bucket["NotificationConfiguration"], notifications)

    def test_a_bucket_of_ones_own_is_used_everywhere(self):
        self.assertNotIn("Bucket", EXISTING_BUCKET.resources)
        self.assertNotIn("BucketPolicy", EXISTING_BUCKET.resources)
        everything = json.dumps([EXISTING_BUCKET.resources, EXISTING_BUCKET.outputs])
        self.assertNotRegex(everything, r'\$\{Bucket\b|"Bucket"')
        self.assertEqual(EXISTING_BUCKET.resources["Function"]["Environment"]["Variables"]["REPORT_BUCKET"], "hr-files")
        pattern = EXISTING_BUCKET.resources["ObjectCreatedRule"]["EventPattern"]
        self.assertEqual(pattern["detail"]["bucket"]["name"], ["hr-files"])
        self.assertEqual(EXISTING_BUCKET.outputs["DropFolder"], "s3://hr-files/incoming/")
        self.assertEqual(DEFAULT.outputs["DropFolder"], "s3://${Bucket}/incoming/")

    def test_a_lifecycle_is_asked_only_of_the_stacks_bucket(self):
        rule = TEMPLATE["Rules"]["ExistingBucketHasItsOwnLifecycle"]
        self.assertEqual(rule["RuleCondition"], {"Fn::Not": [{"Fn::Equals": [ref("ExistingBucketName"), ""]}]})
        asked = [a["Assert"] for a in rule["Assertions"]]
        self.assertEqual(asked, [{"Fn::Equals": [ref(f"Retain{what}Days"), "0"]} for what in ("Files", "Reports")])

    def test_what_expires_and_when(self):
        def expiring(stack):
            return {r["Prefix"]: str(r["ExpirationInDays"]) for r in self.lifecycle(stack) if "ExpirationInDays" in r}

        self.assertEqual(expiring(DEFAULT), {"state/": "30"})
        self.assertEqual(expiring(FULL), {"state/": "30", "reports/": "730", "incoming/": "365"})

    def test_what_is_hidden_is_deleted(self):
        def hidden(stack):
            rules = [r for r in self.lifecycle(stack) if "NoncurrentVersionExpiration" in r]
            return {r["Prefix"]: r["NoncurrentVersionExpiration"] for r in rules}

        # summary.json is written anew while an import runs; a file that was replaced may still wait for its import.
        days = {"state/": 1, "reports/": 7, "incoming/": 30}
        self.assertEqual(hidden(FULL), {prefix: {"NoncurrentDays": n} for prefix, n in days.items()})
        del days["incoming/"]
        self.assertEqual(hidden(DEFAULT), {prefix: {"NoncurrentDays": n} for prefix, n in days.items()})
        for stack in (DEFAULT, FULL):
            expiring = {r["Prefix"] for r in self.lifecycle(stack) if "ExpirationInDays" in r}
            marked = {r["Prefix"] for r in self.lifecycle(stack) if r.get("ExpiredObjectDeleteMarker")}
            self.assertLessEqual(expiring, marked)

    def test_each_rule_is_one_that_cloudformation_and_s3_take(self):
        acts = {"AbortIncompleteMultipartUpload", "ExpirationInDays", "NoncurrentVersionExpiration"}
        together = {"ExpirationInDays", "ExpiredObjectDeleteMarker"}
        for rule in self.lifecycle(FULL):
            self.assertTrue(acts & set(rule), f"{rule['Id']}: CloudFormation refuses a delete marker alone")
            self.assertFalse(together <= set(rule), f"{rule['Id']}: S3 refuses the two in one rule")
            self.assertEqual(rule["Status"], "Enabled")
        names = [rule["Id"] for rule in self.lifecycle(FULL)]
        self.assertEqual(len(names), len(set(names)))

    def test_unfinished_uploads_go_everywhere(self):
        (rule,) = [r for r in self.lifecycle(DEFAULT) if "AbortIncompleteMultipartUpload" in r]
        self.assertNotIn("Prefix", rule)


class Queues(unittest.TestCase):
    queues = FULL.of_type("AWS::SQS::Queue")
    queue = queues["Queue"]
    rule = FULL.resources["ObjectCreatedRule"]
    target = FULL.resources["Schedule"]["Target"]

    def test_visibility_is_the_timeout_and_a_minute(self):
        self.assertEqual(FUNCTION["Timeout"], 900)
        self.assertEqual(self.queue["VisibilityTimeout"], FUNCTION["Timeout"] + 60)

    def test_every_queue_keeps_for_14_days(self):
        for name, queue in self.queues.items():
            self.assertEqual(queue["MessageRetentionPeriod"], 14 * DAY, name)

    def test_every_queue_is_encrypted_by_sqs_or_by_the_key(self):
        for name, queue in Stack(ScheduleExpression="rate(1 day)").of_type("AWS::SQS::Queue").items():
            self.assertEqual((queue.get("SqsManagedSseEnabled"), queue.get("KmsMasterKeyId")), (True, None), name)
        for name, queue in self.queues.items():
            self.assertEqual((queue.get("SqsManagedSseEnabled"), queue.get("KmsMasterKeyId")), (None, KEY), name)

    def test_every_queue_is_tls_only(self):
        policies = FULL.of_type("AWS::SQS::QueuePolicy").values()
        closed = {q["Ref"] for p in policies if tls_only(p, "sqs:*") for q in p["Queues"]}
        self.assertEqual(closed, set(self.queues))

    def test_fifo_where_it_must_be_and_only_there(self):
        fifo = {name for name, queue in self.queues.items() if queue.get("FifoQueue")}
        self.assertEqual(fifo, {"Queue", "DeadLetters"})
        self.assertIs(self.queue["ContentBasedDeduplication"], True)

    def test_dead_letters(self):
        redrive = {"deadLetterTargetArn": arn("DeadLetters"), "maxReceiveCount": 1000}
        self.assertEqual(self.queue["RedrivePolicy"], redrive)
        self.assertEqual(self.rule["Targets"][0]["DeadLetterConfig"], {"Arn": arn("RuleDeadLetters")})
        self.assertEqual(self.target["DeadLetterConfig"], {"Arn": arn("ScheduleDeadLetters")})

    def test_only_the_rule_may_send_to_its_queues(self):
        for name in ("Queue", "RuleDeadLetters"):
            policy = FULL.resources[f"{name}Policy"]["PolicyDocument"]["Statement"]
            (allowed,) = [s for s in policy if s["Effect"] == "Allow"]
            self.assertEqual(allowed["Principal"], {"Service": "events.amazonaws.com"})
            self.assertEqual(allowed["Action"], "sqs:SendMessage")
            self.assertEqual(allowed["Resource"], arn(name))
            self.assertEqual(allowed["Condition"], {"ArnEquals": {"aws:SourceArn": arn("ObjectCreatedRule")}})

    def test_the_rule_takes_the_import_folder_alone(self):
        pattern = self.rule["EventPattern"]
        self.assertEqual((pattern["source"], pattern["detail-type"]), (["aws.s3"], ["Object Created"]))
        self.assertEqual(pattern["detail"]["bucket"]["name"], [{"Ref": "Bucket"}])
        self.assertEqual(pattern["detail"]["object"]["key"], [{"prefix": "incoming/"}])

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

    def test_outputs_say_how_to_send_dead_letters_again(self):
        said = {name: TEMPLATE["Outputs"][name]["Description"] for name in TEMPLATE["Outputs"]}
        # What the function sent there itself has no source to go back to.
        moved = "aws sqs start-message-move-task --source-arn DeadLettersArn --destination-arn QueueArn"
        self.assertIn(moved, said["DeadLettersUrl"])
        group = self.target["SqsParameters"]["MessageGroupId"]
        # SQS redrives no standard queue into a FIFO queue.
        for name in ("RuleDeadLettersUrl", "ScheduleDeadLettersUrl"):
            command = f"aws sqs send-message --queue-url QueueUrl --message-group-id {group} --message-body"
            self.assertIn(command, said[name])


class Schedule(unittest.TestCase):
    @staticmethod
    def request(**given):
        stack = Stack(ScheduleExpression="rate(1 day)", **given)
        return json.loads(stack.resources["Schedule"]["Target"]["Input"])

    def test_it_asks_only_for_what_is_given(self):
        members = {"source", "mode", "recheck_days", "import_id"}
        self.assertEqual(set(self.request()), members)
        self.assertEqual(self.request()["recheck_days"], 28)
        self.assertEqual(self.request(ScheduleRecheckDays="0")["recheck_days"], 0)
        self.assertIs(self.request(ScheduleDryRun="true")["dry_run"], True)
        self.assertIs(self.request(ScheduleDryRun="false")["dry_run"], False)
        self.assertEqual(self.request(ScheduleMaxAgeHours="36.5")["max_age_hours"], 36.5)
        for rows in ("protect", "ignore"):
            self.assertEqual(self.request(ScheduleUnassignedRows=rows)["unassigned_rows"], rows)
        options = {"ScheduleUnassignedRows": "ignore", "ScheduleDryRun": "true", "ScheduleMaxAgeHours": "0.5"}
        every = self.request(ExistingBucketName="hr-files", **options)
        self.assertEqual(set(every), members | {"unassigned_rows", "dry_run", "max_age_hours"})
        self.assertEqual(every["source"], "s3://hr-files/hr/")

    def test_every_age_that_is_accepted_is_a_number_of_json(self):
        for hours in filter(None, TABLE["ScheduleMaxAgeHours"]["good"]):
            self.assertGreater(self.request(ScheduleMaxAgeHours=hours)["max_age_hours"], 0, hours)

    def test_the_function_knows_every_member(self):
        request = re.search(r"pub struct Request \{(.*?)\n\}", rust(REQUEST), re.S)[1]
        known = set(re.findall(r"pub (\w+): Option<", request))
        self.assertLessEqual(set(json.loads(Queues.target["Input"])), known)

    def test_each_night_is_an_import_of_its_own(self):
        self.assertEqual(self.request()["import_id"], "hr-sync-<aws.scheduler.scheduled-time>")


class Told(unittest.TestCase):
    """Who is told, and what is seen."""

    alarms = FULL.of_type("AWS::CloudWatch::Alarm")
    quiet = {"LostDropsAlarm", "ProblemsAlarm"}  # nothing is mended when these end

    def test_people_are_told_through_the_stacks_topic(self):
        self.assertEqual(DEFAULT.of_type("AWS::SNS::Subscription"), {})
        (subscription,) = FULL.of_type("AWS::SNS::Subscription").values()
        expected = {"TopicArn": ref("Topic"), "Protocol": "email", "Endpoint": "ops@example.com"}
        self.assertEqual(subscription, expected)

    def test_the_topic_is_closed_but_to_alarms(self):
        policy = DEFAULT.resources["TopicPolicy"]
        self.assertEqual(policy["Topics"], [ref("Topic")])
        self.assertTrue(tls_only(policy, "sns:Publish"))
        (allowed,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        self.assertEqual(allowed["Principal"], {"Service": "cloudwatch.amazonaws.com"})
        self.assertEqual(allowed["Action"], "sns:Publish")
        self.assertEqual(allowed["Condition"], {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}})

    def test_the_topics_key_is_one_that_alarms_may_use(self):
        self.assertNotIn("KmsMasterKeyId", DEFAULT.resources["Topic"], "alarms may not use alias/aws/sns")
        self.assertEqual(FULL.resources["Topic"]["KmsMasterKeyId"], KEY)

    def test_every_alarm_tells(self):
        own = "arn:aws:sns:eu-central-1:111122223333:ops"
        for stack, topic in ((FULL, ref("Topic")), (Stack(**EVERYTHING, AlarmTopicArn=own), own)):
            for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
                self.assertEqual(alarm["AlarmActions"], [topic], name)
                self.assertEqual(alarm.get("OKActions"), None if name in self.quiet else [topic], name)
                self.assertTrue(alarm["AlarmDescription"], name)

    def test_every_dead_letter_queue_has_an_alarm(self):
        watched = {}
        for name, alarm in self.alarms.items():
            if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible":
                ((dimension),) = alarm["Dimensions"]
                watched[dimension["Value"]["Fn::GetAtt"][0]] = name
                of = (alarm["Namespace"], alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"])
                self.assertEqual(of, ("AWS/SQS", "Maximum", "GreaterThanThreshold", 0), name)
                self.assertEqual(alarm["TreatMissingData"], "ignore", "an idle queue is not reported, and not empty")
        self.assertEqual(set(watched), set(Queues.queues) - {"Queue"})

    def test_the_other_alarms_watch_what_they_say(self):
        expected = {
            "LostDropsAlarm": ("AWS/Events", "InvocationsFailedToBeSentToDlq", "RuleName", "ObjectCreatedRule"),
            "ErrorsAlarm": ("AWS/Lambda", "Errors", "FunctionName", "Function"),
            "ProblemsAlarm": ("ConnectBulkImport", "ImportsWithProblems", "service", "Function"),
        }
        for name, (namespace, metric, dimension, resource) in expected.items():
            alarm = self.alarms[name]
            self.assertEqual((alarm["Namespace"], alarm["MetricName"]), (namespace, metric))
            self.assertEqual(alarm["Dimensions"], [{"Name": dimension, "Value": ref(resource)}])
            self.assertEqual((alarm["Statistic"], alarm["ComparisonOperator"]), ("Sum", "GreaterThanThreshold"), name)
            self.assertEqual((alarm["Threshold"], alarm["TreatMissingData"]), (0, "notBreaching"), name)
        # Else the alarm would end before a crash comes again.
        between = Queues.queue["VisibilityTimeout"] + FUNCTION["Timeout"]
        self.assertGreater(self.alarms["ErrorsAlarm"]["Period"], between)

    def test_the_age_of_the_queue_is_in_hours(self):
        alarm = Stack(QueueAlarmHours="48").resources["QueueAgeAlarm"]
        self.assertEqual((alarm["Threshold"], alarm["ComparisonOperator"]), ("48", "GreaterThanThreshold"))
        hours, age = alarm["Metrics"]
        self.assertEqual(hours["Expression"], age["Id"] + " / 3600")
        self.assertEqual([hours.get("ReturnData", True), age["ReturnData"]], [True, False])
        metric = {"Namespace": "AWS/SQS", "MetricName": "ApproximateAgeOfOldestMessage"}
        metric["Dimensions"] = [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}]
        self.assertEqual((age["MetricStat"]["Metric"], age["MetricStat"]["Stat"]), (metric, "Maximum"))
        longest = PARAMETERS["QueueAlarmHours"]["MaxValue"] * 3600
        self.assertLess(longest, Queues.queue["MessageRetentionPeriod"], "by then the message is gone")

    def test_a_schedule_that_does_nothing_alarms(self):
        self.assertNotIn("ScheduleAlarm", DEFAULT.resources)
        self.assertNotIn("ScheduleAlarm", Stack(ScheduleExpression="rate(1 day)", ScheduleAlarmHours="0").resources)
        alarm = self.alarms["ScheduleAlarm"]
        self.assertEqual((alarm["Namespace"], alarm["MetricName"]), ("ConnectBulkImport", "ScheduledImportsDone"))
        self.assertEqual(alarm["Dimensions"], [{"Name": "service", "Value": ref("Function")}])
        self.assertEqual((alarm["Statistic"], alarm["ComparisonOperator"]), ("Sum", "LessThanThreshold"))
        self.assertEqual((alarm["Threshold"], alarm["TreatMissingData"]), (1, "breaching"))
        self.assertEqual((alarm["Period"], alarm["EvaluationPeriods"]), (3600, "26"))
        # CloudWatch looks back for a week, with periods of an hour or more.
        longest = max(int(hours) for hours in TABLE["ScheduleAlarmHours"]["good"])
        self.assertLessEqual(alarm["Period"] * longest, 7 * DAY)

    def test_the_log_level_does_not_take_the_metrics(self):
        logging = FUNCTION["LoggingConfig"]
        self.assertEqual((logging["LogFormat"], logging["ApplicationLogLevel"]), ("JSON", "TRACE"))
        self.assertEqual(FUNCTION["Environment"]["Variables"]["RUST_LOG"], ref("LogLevel"))

    def test_queries_read_the_functions_logs(self):
        queries = DEFAULT.of_type("AWS::Logs::QueryDefinition")
        self.assertEqual(len(queries), 3)
        for name, query in queries.items():
            self.assertEqual(query["LogGroupNames"], [ref("LogGroup")], name)
            self.assertTrue(query["Name"].startswith("${AWS::StackName}/"), name)
        self.assertIn('message = "import finished"', queries["EndedQuery"]["QueryString"])

    def test_the_dashboard_is_json_of_what_there_is(self):
        self.assertNotIn("ImportDashboard", DEFAULT.resources)
        for given in ({}, {"ScheduleExpression": ""}, {"ScheduleAlarmHours": "0"}):
            stack = Stack(**EVERYTHING | given)
            widgets = json.loads(stack.resources["ImportDashboard"]["DashboardBody"])["widgets"]
            shown = {alarm for w in widgets for alarm in w["properties"].get("alarms", [])}
            self.assertEqual(shown, {"${" + n + ".Arn}" for n in stack.of_type("AWS::CloudWatch::Alarm")})
            self.assertTrue(all(w["x"] + w["width"] <= 24 for w in widgets))


class Parameters(unittest.TestCase):
    parameters = PARAMETERS

    def test_good_values_are_accepted_and_bad_ones_are_not(self):
        for parameter, values in TABLE.items():
            self.assertTrue(values["good"] and values["bad"], parameter)
            for value in values["good"]:
                self.assertTrue(accepts(parameter, value), f"{parameter}: {value!r} is good")
            for value in values["bad"] + values.get("narrower", []):
                self.assertFalse(accepts(parameter, value), f"{parameter}: {value!r} is not accepted")

    def test_every_parameter_is_in_the_table_with_its_setting(self):
        self.assertEqual(list(TABLE), list(self.parameters))
        variables = FUNCTION["Environment"]["Variables"]
        settings = {}
        for setting in set(variables) - set(FROM_THE_STACK) - {"RUST_LOG"}:
            value = variables[setting]
            settings[(value if "Ref" in value else value["Fn::If"][1])["Ref"]] = setting
        self.assertEqual({p: values["setting"] for p, values in TABLE.items() if values["setting"]}, settings)
        for parameter, values in TABLE.items():
            self.assertLessEqual(set(values), {"setting", "good", "bad", "narrower"})
            self.assertTrue(values["setting"] or "narrower" not in values, f"{parameter}: narrower than what?")

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
            if "Default" in parameter:
                self.assertTrue(accepts(name, str(parameter["Default"])), name)

    def test_each_option_may_be_used_alone(self):
        for name, value in EVERYTHING.items() | {("ExistingBucketName", "hr-files")}:
            Stack(**{name: value})  # fails if something refers to what is then not made

    def test_folders_cannot_lie_within_one_another(self):
        for name in ("ImportPrefix", "ReportPrefix", "StatePrefix"):
            self.assertNotRegex("hr/incoming/", self.parameters[name]["AllowedPattern"])
        self.assertEqual(len(TEMPLATE["Rules"]["FoldersDiffer"]["Assertions"]), 3)

    def test_a_setting_that_may_be_empty_is_then_not_set(self):
        for name, value in FUNCTION["Environment"]["Variables"].items():
            parameter = value.get("Ref")
            if name == "RUST_LOG":
                continue
            if name in FROM_THE_STACK:
                self.assertEqual(value, FROM_THE_STACK[name], "the stack's own, and no parameter")
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


class Packaged(unittest.TestCase):
    """What `scripts/package` makes for who has no Rust."""

    def test_the_template_names_the_zip_file_and_is_the_same_otherwise(self):
        with tempfile.TemporaryDirectory() as folder:
            built = Path(folder, "bootstrap.zip")
            built.write_bytes(b"the function")
            to = Path(folder, "dist")
            subprocess.run([ROOT / "scripts/package", "--zip", built, "--to", to], check=True, capture_output=True)
            packaged = yaml.load((to / "template.yaml").read_text(encoding="utf-8"), Loader)
            function = packaged["Resources"]["Function"]
            self.assertEqual((to / function["Properties"]["CodeUri"]).read_bytes(), b"the function")
            self.assertNotIn("BuildMethod", function["Metadata"])
            expected = copy.deepcopy(TEMPLATE)
            expected["Resources"]["Function"]["Properties"]["CodeUri"] = function["Properties"]["CodeUri"]
            for member in ("BuildMethod", "BuildProperties"):
                del expected["Resources"]["Function"]["Metadata"][member]
            self.assertEqual(packaged, expected)


class Local(unittest.TestCase):
    def test_what_refers_to_a_resource_is_not_set_where_there_is_none(self):
        # `sam local invoke` knows no resources, and gives a reference's own name as its value.
        def names(value):
            if isinstance(value, dict):
                return set().union(*([value["Ref"]] if "Ref" in value else names(each) for each in value.values()))
            return set().union(*(names(each) for each in value)) if isinstance(value, list) else set()

        variables = FUNCTION["Environment"]["Variables"]
        refer = {name for name, value in variables.items() if names(value) & set(RESOURCES)}
        self.assertEqual(event("local-env"), {"Function": {name: "" for name in refer}})


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
        text = Stack(ScheduleExpression="rate(1 day)", ScheduleMode="replace").resources["Schedule"]["Target"]["Input"]
        (sample,) = bodies("sqs-request")
        text = text.replace("${Bucket}", "connect-bulk-import-111122223333")
        text = text.replace("<aws.scheduler.scheduled-time>", "2026-11-22T02:00:00Z")
        self.assertEqual(json.loads(text), sample)


def tls_only(policy, action):
    """Whether the policy of a bucket, queue or topic refuses what does not come over TLS."""
    return any(
        s["Effect"] == "Deny"
        and (s["Principal"], s["Action"]) == ("*", action)
        and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for s in policy["PolicyDocument"]["Statement"]
    )


def event(name):
    return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))


def bodies(name):
    return [json.loads(message["body"]) for message in event(name)["Records"]]


if __name__ == "__main__":
    unittest.main()
