"""The template deployed, and files imported through it. LocalStack stands in for AWS, the emulator for Amazon Connect,
and this test for Lambda: it polls the FIFO queue as the event source mapping does, and runs the binary.

    cargo build --release && cargo build -p connect-emulator
    pip install -r tests/requirements-deploy.txt && python tests/deploy_test.py

BINARY names another binary than the release. This test cannot see what LocalStack does not do: it enforces no policy,
ignores the template's Rules, starts no schedule, expires no object, and knows no warm-up and no expression of an alarm.
"""

import atexit
import collections
import copy
import csv
import datetime
import io
import json
import numbers
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import boto3
import footprint
import jsonschema
import template_test
from botocore.config import Config
from samtranslator.translator.transform import transform

REGION = "eu-central-1"
# LocalStack takes an access key of twelve digits for the account.
ACCOUNT = "111122223333"
BINARY = pathlib.Path(os.environ.get("BINARY", footprint.BINARY))
EVENT_SCHEMA = footprint.ROOT / "events" / "import-finished.schema.json"
USERS = 400
PARAMETERS = {
    "RequestBurst": "50",
    "ScheduleExpression": "cron(0 3 * * ? *)",
    "EventBusName": "default",
    "Dashboard": "true",
}

# What the test takes out of the template, and why. A log group takes its place: it has a name and an ARN to refer to.
NOT_MADE = {
    "AWS::Lambda::Function": "LocalStack runs it in Docker; the test runs the binary, with the template's environment",
    "AWS::Lambda::EventSourceMapping": "needs the function; the test polls the queue",
    "AWS::Lambda::Permission": "needs the function",
    "AWS::Lambda::EventInvokeConfig": "needs the function",
    "AWS::CloudWatch::Dashboard": "LocalStack's CloudFormation does not know it",
    "AWS::Logs::QueryDefinition": "LocalStack's CloudFormation does not know it",
}
STAND_IN = "AWS::Logs::LogGroup"
NO_VALUE = "(no value)"

LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
METRICS = set(
    "Imports ImportsWithProblems ScheduledImportsDone RowsTotal RowsChanged RowsUnchanged RowsInvalid RowsFailed "
    "RowsKept RowsPending Users Calls ThrottledCalls Deliveries DurationSeconds".split()
)


def eventually(look, seconds=10):
    """Looks again until something is found, or the time is over. Returns the last find."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def started(command, **options):
    """Starts a process that ends with this one."""
    process = subprocess.Popen(command, **options)
    atexit.register(process.kill)
    return process


# --- What stands in for AWS -------------------------------------------------------------------------------------------


class LocalStack:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="deploy-test-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{at}"
        self.log = pathlib.Path(self.folder, "localstack.log")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.folder,
            "TMPDIR": self.folder,
            "FILESYSTEM_ROOT": self.folder,
            "GATEWAY_LISTEN": at,
            "LOCALSTACK_HOST": at,
            # No telemetry, no downloads, no name server.
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DNS_ADDRESS": "0",
        }
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "localstack.runtime.main"]
            self.process = started(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        is_ready = eventually(lambda: "Ready." in self.log.read_text() or self.process.poll() is not None, 60)
        if not is_ready or self.process.poll() is not None:
            raise AssertionError(f"LocalStack did not start:\n{self.log.read_text()[-3000:]}")
        for name in ("s3", "sqs", "sns", "events", "scheduler", "cloudwatch", "cloudformation"):
            setattr(self, name, client(name, self.url))

    def close(self):
        self.process.kill()
        self.process.wait()


def client(name, url):
    return boto3.client(
        name,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 2}, proxies={}),
    )


class Stack:
    """The stack, without what is in NOT_MADE, and the environment that it would give the function."""

    def __init__(self, cloud, **parameters):
        template = translated()
        resources = template["Resources"]
        (function,) = of_type(resources, "AWS::Lambda::Function")
        (self.mapping,) = of_type(resources, "AWS::Lambda::EventSourceMapping")
        dashboards = of_type(resources, "AWS::CloudWatch::Dashboard")
        for name, resource in resources.items():
            if resource["Type"] in NOT_MADE:
                stays = {member: resource[member] for member in ("Condition", "DependsOn") if member in resource}
                resources[name] = {"Type": STAND_IN, **stays}
        # CloudFormation resolves the function's environment and the dashboards: each is an output of the stack.
        logging = function["LoggingConfig"]
        variables = {
            **function["Environment"]["Variables"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": function["MemorySize"],
            "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
            "AWS_LAMBDA_LOG_LEVEL": logging["ApplicationLogLevel"],
        }
        asked = [*variables.values(), *(dashboard["DashboardBody"] for dashboard in dashboards)]
        for number, value in enumerate(asked):
            value = json.loads(json.dumps(value).replace('{"Ref": "AWS::NoValue"}', f'"{NO_VALUE}"'))
            template["Outputs"][f"Asked{number}"] = {"Value": value}

        name = f"import-{uuid.uuid4().hex[:8]}"
        cloud.cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        find = lambda: cloud.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        eventually(lambda: find()["StackStatus"] != "CREATE_IN_PROGRESS", 90)
        made = cloud.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if (stack := find())["StackStatus"] != "CREATE_COMPLETE":
            events = cloud.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
            why = {event["LogicalResourceId"]: event.get("ResourceStatusReason") for event in failed}
            raise AssertionError(f"the stack is {stack['StackStatus']}: {stack.get('StackStatusReason')} {why}")
        # LocalStack reports a type that it does not know as complete.
        unknown = {r["ResourceType"] for r in made if "not supported" in r.get("ResourceStatusReason", "")}
        if unknown:
            raise AssertionError(f"LocalStack does not make {sorted(unknown)}: add them to NOT_MADE")
        self.made = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in made}
        self.unconditional = {name for name, resource in resources.items() if "Condition" not in resource}
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        answers = [self.outputs.get(f"Asked{number}") for number in range(len(asked))]
        if None in answers:
            raise AssertionError(f"LocalStack does not resolve {asked[answers.index(None)]}")
        self.environment = {name: value for name, value in zip(variables, answers) if value != NO_VALUE}
        self.dashboards = answers[len(variables) :]
        self.environment["AWS_LAMBDA_FUNCTION_NAME"] = self.outputs["FunctionName"]
        self.timeout = function["Timeout"]


def translated():
    """The template as SAM translates it for CloudFormation."""
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator looks for one

    class NoManagedPolicies:
        def load(self):
            return {}

    template = copy.deepcopy(template_test.TEMPLATE)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://nowhere/function.zip"  # where `sam package` would put it
    return transform(template, {}, NoManagedPolicies())


def of_type(resources, kind):
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


# --- What stands in for Lambda ----------------------------------------------------------------------------------------


class Function:
    """The binary as Lambda runs it: one process takes event after event, and is started again when it has died."""

    def __init__(self, environment, timeout):
        self.environment = environment
        self.timeout = timeout
        self.process = None
        self.lines = []

    def start(self):
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.server, at = footprint.serve(runtime(self.events, self.answers))
        environment = {**self.environment, "AWS_LAMBDA_RUNTIME_API": at}
        self.process = started([BINARY], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.keep_lines, args=[self.process.stdout], daemon=True).start()

    def keep_lines(self, stdout):
        for line in stdout:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def invoke(self, event, seconds=None):
        """Returns the answer, or an error if the process dies or its time is over."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        end = time.time() + (seconds or self.timeout)
        self.events.put((event, end))
        while time.time() < end and self.process.poll() is None:
            try:
                return self.answers.get(timeout=0.1)
            except queue.Empty:
                pass
        self.close()
        return "error", {"errorType": "the process died, or its time was over", "said": self.lines[-5:]}

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.server.shutdown()
            self.server.server_close()

    def logged(self):
        """The JSON lines that pass Lambda's level filter, for which a line without time or level is INFO."""
        threshold = LEVELS.index(self.environment["AWS_LAMBDA_LOG_LEVEL"])
        for text in list(self.lines):
            try:
                line = json.loads(text)
            except ValueError:
                continue
            level = line.get("level") if "timestamp" in line else None
            if LEVELS.index(level if level in LEVELS else "INFO") >= threshold:
                yield line


def runtime(events, answers):
    """Lambda's runtime API."""

    class Runtime(footprint.Quiet):
        def do_GET(self):
            event, end = events.get()
            self.answer(
                200,
                json.dumps(event).encode(),
                Lambda_Runtime_Aws_Request_Id=str(uuid.uuid4()),
                Lambda_Runtime_Deadline_Ms=str(int(end * 1000)),
                Lambda_Runtime_Invoked_Function_Arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:import",
            )

        def do_POST(self):
            body = json.loads(self.body())
            self.answer(202)
            answers.put((self.path.rsplit("/", 1)[1], body))

    return Runtime


class Mapping:
    """The event source mapping: receives, invokes, deletes what succeeded. What failed becomes visible again later."""

    def __init__(self, cloud, function, stack):
        self.sqs, self.function = cloud.sqs, function
        self.url = stack.outputs["QueueUrl"]
        self.arn = self.attribute("QueueArn")
        self.batch_size = stack.mapping["BatchSize"]
        self.reports_failures = "ReportBatchItemFailures" in stack.mapping.get("FunctionResponseTypes", [])
        self.answers = []

    def attribute(self, name):
        return self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name]

    def held(self):
        """How many messages there are, in flight or not."""
        counts = ("", "NotVisible", "Delayed")
        return sum(int(self.attribute(f"ApproximateNumberOfMessages{which}")) for which in counts)

    def poll(self, n_messages=1, seconds=60, life=None):
        """Polls until this many messages are done and the queue is empty. Returns how often each was delivered."""
        deliveries, n_done, end = collections.Counter(), 0, time.monotonic() + seconds
        while n_done < n_messages or self.held():
            if time.monotonic() > end:
                raise AssertionError(
                    f"after {seconds} s {n_done} of {n_messages} messages are done, {self.held()} are in the queue.\n"
                    f"answers: {self.answers[-3:]}\nsaid: " + "\n".join(self.function.lines[-8:])
                )
            received = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=self.batch_size,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
                WaitTimeSeconds=1,
            )
            messages = received.get("Messages", [])
            if not messages:
                continue
            deliveries.update(message["MessageId"] for message in messages)
            answer = self.function.invoke({"Records": [self.record(message) for message in messages]}, life)
            self.answers.append(answer)
            if answer[0] != "response":
                raise AssertionError(f"the function failed: {answer[1]}")
            failed = self.failed(answer[1], {message["MessageId"] for message in messages})
            for message in messages:
                if message["MessageId"] not in failed:
                    self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                    n_done += 1
        return sorted(deliveries.values())

    def failed(self, answer, ids):
        """The messages that failed: all, if the answer names a message that was not given."""
        items = (answer or {}).get("batchItemFailures") or [] if self.reports_failures else []
        failed = {item.get("itemIdentifier") for item in items}
        return failed if failed <= ids else ids

    def record(self, message):
        attributes = {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        }
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": attributes,
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": REGION,
        }


# --- The deployment ---------------------------------------------------------------------------------------------------


class Deployment:
    """Everything that the tests need, started once for all of them."""

    def __init__(self):
        for binary in (BINARY, footprint.EMULATOR):
            if not binary.is_file():
                raise AssertionError(f"{binary} is missing: build it first")
        self.connect_process, connect_at, self.instance = footprint.emulator(
            "--users", str(USERS), "--rate", "60", "--burst", "50"
        )
        atexit.register(self.connect_process.kill)
        self.cloud = LocalStack()
        self.connect = client("connect", connect_at)
        self.stack = Stack(self.cloud, ConnectInstanceId=self.instance, **PARAMETERS)
        self.bucket = self.stack.outputs["BucketName"]

        environment = {
            **self.stack.environment,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_ENDPOINT_URL": self.cloud.url,
            "AWS_ENDPOINT_URL_CONNECT": connect_at,
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": connect_at,
        }
        self.events = Inbox(self.cloud, "finished")
        self.events.take_events(environment["EVENT_BUS_NAME"])
        self.notices = Inbox(self.cloud, "notices")
        self.notices.take_notices(environment["NOTICE_TOPIC_ARN"])
        self.function = Function(environment, self.stack.timeout)
        self.mapping = Mapping(self.cloud, self.function, self.stack)

    def close(self):
        self.function.close()
        self.cloud.close()
        self.connect_process.kill()
        self.connect_process.wait()
        self.connect_process.stdout.close()

    def drop(self, key, *rows):
        text = "user,attribute,value,level\n" + "".join(f"{row}\n" for row in rows)
        self.drop_bytes(key, text.encode())

    def drop_bytes(self, key, body):
        self.cloud.s3.put_object(Bucket=self.bucket, Key=key, Body=body)

    def find(self, folder, ending):
        """The one key in this folder that ends so."""
        listed = self.cloud.s3.list_objects_v2(Bucket=self.bucket, Prefix=folder)["Contents"]
        (key,) = [item["Key"] for item in listed if item["Key"].endswith(ending)]
        return key

    def copy(self, source, key):
        """As `aws s3 cp` does between two keys."""
        self.cloud.s3.copy_object(Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source})

    def report(self, folder):
        """The one report in this folder: its objects by name."""
        pages = self.cloud.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=folder)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        imports = {key.removeprefix(folder).split("/")[0] for key in keys}
        if len(imports) != 1:
            raise AssertionError(f"one report expected in {folder}, found {sorted(imports)}")
        read = lambda key: self.cloud.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode("utf-8-sig")
        return {key.rsplit("/", 1)[1]: read(key) for key in keys}

    def level(self, n_user, value):
        """A user's level in a language, or None."""
        user = f"00000000-0000-4000-8000-{n_user:012}"
        held = self.connect.list_user_proficiencies(InstanceId=self.instance, UserId=user)["UserProficiencyList"]
        return next((item["Level"] for item in held if item["AttributeValue"] == value), None)


class Inbox:
    """A queue that receives events or notices."""

    def __init__(self, cloud, name):
        self.cloud = cloud
        self.url = cloud.sqs.create_queue(QueueName=name)["QueueUrl"]
        asked = cloud.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = asked["Attributes"]["QueueArn"]
        self.bodies = []

    def take_events(self, bus):
        pattern = {"source": ["connect-bulk-import"], "detail-type": ["Import Finished"]}
        self.cloud.events.put_rule(Name="finished", EventBusName=bus, EventPattern=json.dumps(pattern))
        self.cloud.events.put_targets(Rule="finished", EventBusName=bus, Targets=[{"Id": "inbox", "Arn": self.arn}])

    def take_notices(self, topic):
        self.cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.arn)

    def find(self, is_wanted):
        """Returns what came so far and is wanted."""
        received = self.cloud.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            self.bodies.append(json.loads(message["Body"]))
            self.cloud.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [body for body in self.bodies if is_wanted(body)]


DEPLOYMENT = None


def setUpModule():
    global DEPLOYMENT
    began = time.monotonic()
    DEPLOYMENT = Deployment()
    unittest.addModuleCleanup(DEPLOYMENT.close)
    print(f"deployed in {time.monotonic() - began:.1f} s", flush=True)


# --- The tests --------------------------------------------------------------------------------------------------------


class Deployed(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.deployment, self.cloud, self.mapping = DEPLOYMENT, DEPLOYMENT.cloud, DEPLOYMENT.mapping
        # A message that a failed test left in flight would block the message group.
        self.cloud.sqs.purge_queue(QueueUrl=self.mapping.url)

    def check_report(self, folder, status, n_rows, lines=None):
        """Each input row is in the report once, in the order of its line, and the counts add up."""
        report = self.deployment.report(folder)
        summary = json.loads(report["summary.json"])
        self.assertEqual(summary["status"], status, summary)
        counts = dict(summary["rows"])
        self.assertEqual(counts.pop("total"), n_rows)
        self.assertEqual(sum(counts.values()), n_rows, counts)
        results = list(csv.DictReader(io.StringIO(report["results.csv"])))
        self.assertEqual([int(row["import_line"]) for row in results], lines or list(range(2, n_rows + 2)))
        tally = collections.Counter(row["import_status"] for row in results)
        self.assertEqual(dict(tally), {status: n for status, n in counts.items() if n})
        return report, summary, results


class Importing(Deployed):
    def test_all_else_of_the_template_is_made(self):
        stack = self.deployment.stack
        self.assertLessEqual(stack.unconditional, set(stack.made))

    def test_a_dropped_file_is_imported(self):
        self.deployment.drop(
            "incoming/team.csv",
            "agent-00001,Language,German,4",
            "agent-00002,Language,German,2",
            "agent-00003,Language,Klingon,3",
            "nobody,Language,German,3",
        )
        self.assertEqual(self.mapping.poll(), [1])
        report, summary, results = self.check_report("reports/team.csv/", "completed_with_errors", 4)
        self.assertEqual(summary["quotas"]["ListUsers"], {"rate": 54.0, "burst": 50, "from": "service-quotas"})
        codes = [row["import_code"] for row in results]
        self.assertEqual(codes[2:], ["unknown_value", "unknown_user"])
        self.assertEqual([self.deployment.level(n, "German") for n in (1, 2)], [4, 2])
        self.assertEqual(report["retry.csv"].count("\n"), 3)

    def test_a_dropped_workbook_is_imported(self):
        sheet = [["Agent", "Team", "Language: German", "Language"], ["agent-00007", "North", 4, "French 2; Klingon 1"]]
        self.deployment.drop_bytes("incoming/Skills.xlsx", footprint.as_workbook(sheet))
        self.assertEqual(self.mapping.poll(), [1])
        _, summary, results = self.check_report("reports/Skills.xlsx/", "completed_with_errors", 3, lines=[2, 2, 2])
        self.assertEqual([row["import_column"] for row in results], ["Language: German", "Language", "Language"])
        self.assertEqual([row["import_code"] for row in results], ["", "", "unknown_value"])
        self.assertEqual(summary["columns"]["carried"], ["Team"])
        self.assertEqual([self.deployment.level(7, language) for language in ("German", "French")], [4, 2])

    def test_a_plan_is_made_copied_and_done(self):
        self.deployment.drop("incoming/dry-run=true/plan.csv", "agent-00008,Language,German,4", "agent-00009,Language,French,5")
        self.assertEqual(self.mapping.poll(), [1])
        report, _, _ = self.check_report("reports/dry-run=true/plan.csv/", "succeeded", 2)
        self.assertEqual(report["plan.csv"].count("\n"), 3)
        before = self.deployment.level(9, "French")
        # One of them is changed before somebody approves.
        self.deployment.drop("incoming/since.csv", f"agent-00009,Language,French,{4 if before != 4 else 3}")
        self.assertEqual(self.mapping.poll(), [1])
        self.deployment.copy(self.deployment.find("reports/dry-run=true/plan.csv/", "/plan.csv"), "incoming/approved.csv")
        self.assertEqual(self.mapping.poll(), [1])
        _, summary, results = self.check_report("reports/approved.csv/", "completed_with_errors", 2)
        self.assertEqual([row["import_code"] for row in results], ["", "changed_since"])
        self.assertEqual((summary["rows"]["kept"], self.deployment.level(8, "German")), (1, 4))

    def test_an_export_by_the_queue_is_dropped_back(self):
        request = {"export": "proficiencies", "form": "wide", "import_id": "backup"}
        self.cloud.sqs.send_message(QueueUrl=self.mapping.url, MessageBody=json.dumps(request), MessageGroupId="imports")
        self.mapping.poll()
        report = self.deployment.report("reports/export/")
        summary = json.loads(report["summary.json"])
        self.assertEqual((summary["status"], summary["export"], summary["users"]["total"]), ("succeeded", True, USERS), summary)
        self.assertEqual(report["proficiencies.csv"].count("\n"), USERS + 1)
        schema = json.loads(EVENT_SCHEMA.read_text(encoding="utf-8"))
        jsonschema.validate({**summary, "report": "s3://a/b/"}, {"$defs": schema["$defs"], "$ref": "#/$defs/detail"})
        self.deployment.copy(self.deployment.find("reports/export/", "/proficiencies.csv"), "incoming/back.csv")
        self.mapping.poll()
        back = json.loads(self.deployment.report("reports/back.csv/")["summary.json"])
        self.assertEqual((back["status"], back["rows"]["unchanged"]), ("succeeded", summary["rows"]["total"]), back)

    def test_names_may_have_any_letters(self):
        # LocalStack's EventBridge percent-encodes the key. AWS's does not.
        self.deployment.drop("incoming/Büro Süd/neue Leute + 1%.csv", "agent-00004,Language,French,5")
        self.mapping.poll()
        self.check_report("reports/Büro Süd/neue Leute + 1%.csv/", "succeeded", 1)
        self.assertEqual(self.deployment.level(4, "French"), 5)

    def test_what_is_dropped_elsewhere_is_not_imported(self):
        # If the rule took the first file, there would be two messages.
        self.deployment.drop("archive/old.csv", "agent-00005,Language,French,1")
        self.deployment.drop("incoming/new.csv", "agent-00006,Language,French,4")
        self.assertEqual(self.mapping.poll(), [1])
        self.check_report("reports/new.csv/", "succeeded", 1)

    def test_two_files_are_imported_one_after_another(self):
        for level in (1, 2):
            self.deployment.drop(f"incoming/{level}.csv", f"agent-00007,Language,Italian,{level}")
        self.assertEqual(self.mapping.poll(2), [1, 1])
        self.assertIsNotNone(self.deployment.level(7, "Italian"))
        for level in (1, 2):
            self.check_report(f"reports/{level}.csv/", "succeeded", 1)

    def test_a_long_import_goes_on_with_the_next_delivery(self):
        rows = [f"agent-{n:05},Language,Spanish,{1 + n % 5}" for n in range(1, USERS + 1)]
        self.deployment.drop("incoming/everybody.csv", *rows)
        # The function must shorten the visibility, or the message comes back after 16 minutes.
        (n_deliveries,) = self.mapping.poll(life=6)
        _, summary, _ = self.check_report("reports/everybody.csv/", "succeeded", USERS)
        self.assertGreater(n_deliveries, 1, "all was done before the deadline: give it more users")
        self.assertEqual(summary["deliveries"], n_deliveries)
        self.assertEqual(self.deployment.level(USERS, "Spanish"), 1 + USERS % 5)

    def test_what_means_nothing_ends_in_the_dead_letter_queue(self):
        self.cloud.sqs.send_message(QueueUrl=self.mapping.url, MessageBody="hello", MessageGroupId="imports")
        self.assertEqual(self.mapping.poll(), [1])
        dead = self.cloud.sqs.receive_message(
            QueueUrl=self.deployment.stack.outputs["DeadLettersUrl"], MessageAttributeNames=["All"], WaitTimeSeconds=5
        ).get("Messages", [])
        self.assertEqual(len(dead), 1, "not one message in the dead-letter queue")
        (message,) = dead
        self.assertEqual(message["Body"], "hello")
        self.assertIn("not JSON", message["MessageAttributes"]["reason"]["StringValue"])

    def test_what_was_given_up_is_sent_back_as_the_runbook_says(self):
        outputs = self.deployment.stack.outputs
        self.cloud.sqs.purge_queue(QueueUrl=outputs["DeadLettersUrl"])
        self.deployment.drop("archive/later.csv", "agent-00010,Language,German,2")
        request = json.dumps({"source": f"s3://{self.deployment.bucket}/archive/later.csv"})
        # As a message that the function gave up itself: no queue had it before.
        self.cloud.sqs.send_message(
            QueueUrl=outputs["DeadLettersUrl"], MessageBody=request, MessageGroupId="imports", MessageDeduplicationId="1"
        )
        self.cloud.sqs.start_message_move_task(
            SourceArn=outputs["DeadLettersArn"], DestinationArn=outputs["QueueArn"]
        )
        self.assertEqual(self.mapping.poll(), [1])
        self.check_report("reports/archive/later.csv/", "succeeded", 1)

    def test_a_scheduled_request_is_imported(self):
        schedule = self.cloud.scheduler.get_schedule(Name=self.deployment.stack.made["Schedule"])["Target"]
        self.assertEqual(schedule["Arn"], self.mapping.arn)
        request = schedule["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-22T02:00:00Z")
        self.deployment.drop("hr/2026-11-21.csv", "agent-00008,Language,German,1")
        time.sleep(1.1)  # S3's times have whole seconds
        self.deployment.drop("hr/2026-11-22.csv", "agent-00008,Language,German,5")
        group = schedule["SqsParameters"]["MessageGroupId"]
        self.cloud.sqs.send_message(QueueUrl=self.mapping.url, MessageBody=request, MessageGroupId=group)
        self.assertEqual(self.mapping.poll(), [1])
        self.check_report("reports/hr/2026-11-22.csv/", "succeeded", 1)
        self.assertEqual(self.deployment.level(8, "German"), 5)
        # The next night the same: nobody is read.
        request = schedule["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-23T02:00:00Z")
        self.deployment.drop("hr/2026-11-23.csv", "agent-00008,Language,German,5")
        self.cloud.sqs.send_message(QueueUrl=self.mapping.url, MessageBody=request, MessageGroupId=group)
        self.assertEqual(self.mapping.poll(), [1])
        _, summary, (row,) = self.check_report("reports/hr/2026-11-23.csv/", "succeeded", 1)
        self.assertEqual(row["import_code"], "as_recorded")
        self.assertNotIn("ListUserProficiencies", summary["calls"])


class Telling(Deployed):
    """Who is told of the end of an import, here of one with problems."""

    summary = None

    def setUp(self):
        super().setUp()
        if not Telling.summary:
            self.deployment.drop("incoming/told.csv", "agent-00009,Language,German,4", "nobody,Language,German,3")
            self.mapping.poll()
            _, Telling.summary, _ = self.check_report("reports/told.csv/", "completed_with_errors", 2)
        self.import_id = self.summary["import_id"]

    def logged(self, is_wanted):
        """The log lines of this import."""
        function, is_own = self.deployment.function, lambda line: line.get("import_id") == self.import_id
        return eventually(lambda: [line for line in function.logged() if is_own(line) and is_wanted(line)], 5)

    def test_machines_hear_of_it_on_the_event_bus(self):
        is_own = lambda body: body.get("detail", {}).get("import_id") == self.import_id
        (event,) = eventually(lambda: self.deployment.events.find(is_own)) or [None]
        self.assertIsNotNone(event, f"no event 'Import Finished'; events: {self.deployment.events.bodies}")
        self.assertEqual((event["source"], event["detail-type"]), ("connect-bulk-import", "Import Finished"))
        detail = event["detail"]
        schema = json.loads(EVENT_SCHEMA.read_text(encoding="utf-8"))
        jsonschema.validate(event, schema)
        jsonschema.validate(template_test.event("import-finished"), schema)
        self.assertEqual(detail["status"], "completed_with_errors")
        self.assertEqual(detail["rows"], self.summary["rows"])
        self.assertEqual(detail["report"], f"s3://{self.deployment.bucket}/reports/told.csv/{self.import_id}/")

    def test_people_hear_of_it_from_the_topic(self):
        is_own = lambda body: "told.csv" in body.get("Subject", "")
        (notice,) = eventually(lambda: self.deployment.notices.find(is_own)) or [None]
        self.assertIsNotNone(notice, f"no notice of told.csv; notices: {self.deployment.notices.bodies}")
        self.assertEqual(notice["Subject"], "told.csv: completed with errors, 1 of 2 rows to mend")
        self.assertIn(self.import_id, notice["Message"], "the message does not say where the report is")
        # Those of the other tests too, whose files have other letters in their names.
        for subject in (body["Subject"] for body in self.deployment.notices.bodies):
            self.assertTrue(subject.isascii() and subject.isprintable() and len(subject) <= 100, subject)

    def test_each_line_of_the_log_has_a_time_and_a_level(self):
        wrong = {text: why for text in list(self.deployment.function.lines) if (why := fault(text))}
        some = "\n".join(f"{why}: {text}" for text, why in list(wrong.items())[:3])
        if wrong:
            self.fail(f"{len(wrong)} lines are wrong, such as\n{some}")

    def test_the_log_has_one_line_of_it(self):
        lines = self.logged(lambda line: line.get("message") == "import finished")
        self.assertEqual(len(lines), 1, "\n".join(self.deployment.function.lines[-5:]))
        (line,) = lines
        self.assertEqual((line["level"], line["status"]), ("WARN", "completed_with_errors"))
        self.assertEqual(line["rows"], self.summary["rows"])

    def test_the_metrics_have_one_line_of_it(self):
        lines = self.logged(lambda line: "_aws" in line)
        self.assertEqual(len(lines), 1, "\n".join(self.deployment.function.lines[-5:]))
        (line,) = lines
        self.check_metrics(line)
        expected = {"Imports": 1, "ImportsWithProblems": 1, "RowsTotal": 2, "RowsChanged": 1, "RowsInvalid": 1}
        self.assertEqual({name: line[name] for name in expected}, expected)
        self.check_watched(line)

    def check_metrics(self, line):
        """CloudWatch's embedded metric format: each metric and dimension that `_aws` names is a member of the line."""
        self.assertLess(abs(line["_aws"]["Timestamp"] / 1000 - time.time()), 600, "not milliseconds of now")
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        self.assertEqual(directive["Namespace"], "ConnectBulkImport")
        self.assertEqual(directive["Dimensions"], [["service"]])
        self.assertEqual(line["service"], self.deployment.function.environment["AWS_LAMBDA_FUNCTION_NAME"])
        names = [metric["Name"] for metric in directive["Metrics"]]
        self.assertEqual(len(names), len(set(names)), names)
        self.assertLessEqual(METRICS, set(names))
        for name in names:
            is_number = isinstance(line.get(name), numbers.Real) and not isinstance(line.get(name), bool)
            self.assertTrue(is_number, f"{name} is {line.get(name)!r}")

    def check_watched(self, line):
        """The template's alarms and dashboards watch metrics that the function writes."""
        alarms = self.cloud.cloudwatch.describe_alarms()["MetricAlarms"]
        queries = [query for alarm in alarms for query in alarm.get("Metrics", []) if "MetricStat" in query]
        metrics = [metric for metric in alarms if "MetricName" in metric]
        metrics += [query["MetricStat"]["Metric"] for query in queries]
        watched = []
        for metric in metrics:
            dimensions = [[dimension["Name"], dimension["Value"]] for dimension in metric.get("Dimensions", [])]
            watched.append([metric["Namespace"], metric["MetricName"], *sum(dimensions, [])])
        on_dashboards = [row for body in self.deployment.stack.dashboards for row in on_dashboard(body)]
        written = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        for where, rows in (("alarm", watched), ("dashboard", on_dashboards)):
            ours = [row[1:] for row in rows if row[0] == "ConnectBulkImport"]
            self.assertTrue(ours, f"no {where} on the function's own metrics")
            for name, *dimensions in ours:
                self.assertIn(name, written, where)
                self.assertEqual(dimensions, ["service", line["service"]], f"{where}: {name}")


def fault(text):
    """What is wrong with a line of the log. Lambda takes a line without time or level for INFO."""
    try:
        line = json.loads(text, object_pairs_hook=without_duplicates)
        if "_aws" not in line:
            datetime.datetime.fromisoformat(line["timestamp"])
            return None if line["level"] in LEVELS else f"level {line['level']}"
    except KeyError as missing:
        return f"no {missing}"
    except ValueError as error:
        return str(error)


def without_duplicates(pairs):
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"a member stands twice: {[name for name, _ in pairs]}")
    return members


def on_dashboard(body):
    """The metrics of a dashboard. A dot repeats what stands above it."""
    for widget in json.loads(body)["widgets"]:
        above = []
        for row in widget["properties"].get("metrics", []):
            cells = [cell for cell in row if isinstance(cell, str)]
            above = [above[column] if cell == "." else cell for column, cell in enumerate(cells)]
            yield above


if __name__ == "__main__":
    # Also when it is terminated it ends what it started (atexit).
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    unittest.main()
