"""What the release binary costs: its size, its start, and the memory and time of an import of a million rows.

It runs the binary as Lambda does: a runtime API that hands it one event, an S3 with just enough in it, and the emulator of
Amazon Connect. Size and memory are the same on every machine and are held to; times are printed only.

    cargo build --release && cargo build -p connect-emulator && python3 tests/footprint.py
"""

import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
BINARY = TARGET / "release" / "connect-bulk-import"
EMULATOR = TARGET / "debug" / "connect-emulator"
ROWS = int(os.environ.get("ROWS", "1000000"))

MAX_BYTES = 16 << 20
MAX_PEAK_KIB = 220 << 10
# Imports that are killed and resumed: users of settings per channel, with four rows each, and of mode=replace.
CONFIG_USERS = int(os.environ.get("CONFIG_USERS", "20000"))
REPLACE_USERS = int(os.environ.get("REPLACE_USERS", "50000"))
MAX_RESUMED_KIB = 200 << 10
# A workbook: agents by skills, a level in every cell.
SHEET_AGENTS = int(os.environ.get("SHEET_AGENTS", "25000"))
SHEET_SKILLS = 60
MAX_SHEET_KIB = 250 << 10
MAX_PAGE_BYTES = 512 << 10
# An export that is killed and resumed.
EXPORT_USERS = int(os.environ.get("EXPORT_USERS", "25000"))


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a process that was killed leaves its connections
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"127.0.0.1:{server.server_address[1]}"


def etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


def s3():
    """Objects by key: puts with conditions, multipart uploads, reads, lists, deletes."""

    class S3(Quiet):
        objects = {}
        uploads = {}
        lock = threading.Lock()

        def key(self):
            path, _, query = self.path.partition("?")
            return urllib.parse.unquote(path + "/").split("/", 2)[2].removesuffix("/"), urllib.parse.parse_qs(query, keep_blank_values=True)

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            key, query = self.key()
            if "list-type" in query:
                return self.list(query.get("prefix", [""])[0])
            if key not in self.objects:
                body = b"" if self.command == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>"
                return self.answer(404, body)
            body = self.objects[key]
            self.answer(200, body, ETag=etag(body), x_amz_version_id="v1")

        def do_PUT(self):
            key, query = self.key()
            body = self.body()
            with self.lock:
                found = self.objects.get(key)
                wanted = self.headers.get("If-Match")
                is_there = self.headers.get("If-None-Match") and found is not None
                if is_there or (wanted and (found is None or etag(found) != wanted)):
                    return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                if "partNumber" in query:
                    self.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
                else:
                    self.objects[key] = body
            self.answer(200, ETag=etag(body))

        def do_DELETE(self):
            self.objects.pop(self.key()[0], None)
            self.answer(204)

        def list(self, prefix):
            keys = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in sorted(self.objects) if key.startswith(prefix))
            self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>".encode())

        def do_POST(self):
            key, query = self.key()
            self.body()
            if "uploads" in query:
                upload = f"upload-{len(self.uploads)}"
                self.uploads[upload] = {}
                body = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                return self.answer(200, body.encode())
            parts = self.uploads.pop(query["uploadId"][0])
            self.objects[key] = b"".join(parts[number] for number in sorted(parts))
            self.answer(200, b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")

    return S3


def runtime(events):
    """Lambda's runtime API: hands out each event once and keeps the answers."""

    class Runtime(Quiet):
        asked = threading.Event()
        answered = threading.Event()
        answers = []

        def do_GET(self):
            Runtime.asked.set()
            if not events:
                return time.sleep(3600)
            event = json.dumps(events.pop(0)).encode()
            deadline = str(int((time.time() + 900) * 1000))
            self.answer(
                200,
                event,
                Lambda_Runtime_Aws_Request_Id="11111111-1111-4111-8111-111111111111",
                Lambda_Runtime_Deadline_Ms=deadline,
                Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:eu-central-1:111122223333:function:footprint",
            )

        def do_POST(self):
            Runtime.answers.append((self.path.rsplit("/", 1)[1], json.loads(self.body())))
            self.answer(202)
            Runtime.answered.set()

    return Runtime


def emulator(*flags):
    """The emulator of Amazon Connect: the process, its address and its instance."""
    process = subprocess.Popen([EMULATOR, "--port", "0", *flags], stdout=subprocess.PIPE, text=True)
    banner = ""
    while "http://" not in banner or not re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", banner):
        banner += process.stdout.readline()
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return process, re.search(r"http://[\d.]+:\d+", banner)[0], re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", banner)[0]


def start(runtime_at, **environment):
    environment = {
        "AWS_LAMBDA_RUNTIME_API": runtime_at,
        "AWS_LAMBDA_FUNCTION_NAME": "footprint",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        **environment,
    }
    return subprocess.Popen([BINARY], env=environment, stdout=subprocess.DEVNULL)


def start_time():
    handler = runtime([])
    server, at = serve(handler)
    began = time.perf_counter()
    process = start(at, CONNECT_INSTANCE_ID="x")
    handler.asked.wait(10)
    took = time.perf_counter() - began
    process.kill()
    process.wait()
    server.shutdown()
    return took


def million_rows():
    rows = "".join(f"unknown.person.{n:07}@example.com,Language,German,3\n" for n in range(ROWS))
    return ("user,attribute,value,level\n" + rows).encode()


def as_workbook(table):
    """A sheet as Excel saves it: texts in a table of their own, numbers in their cells."""
    texts = {}
    number = lambda text: texts.setdefault(text, len(texts))
    column = lambda n: (chr(64 + n // 26) if n >= 26 else "") + chr(65 + n % 26)

    def cell(line, n, value):
        if isinstance(value, int):
            return f'<c r="{column(n)}{line}"><v>{value}</v></c>'
        return f'<c r="{column(n)}{line}" t="s"><v>{number(value)}</v></c>' if value else ""

    rows = "".join(
        f'<row r="{line}">{"".join(cell(line, n, value) for n, value in enumerate(row))}</row>'
        for line, row in enumerate(table, 1)
    )
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    relation = lambda n, kind, target: f'<Relationship Id="r{n}" Type="{office}/{kind}" Target="{target}"/>'
    relations = lambda *inner: f'<Relationships xmlns="{package}/relationships">{"".join(inner)}</Relationships>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": relations(relation(1, "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="Skills" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            relation(1, "worksheet", "worksheets/sheet1.xml"), relation(2, "sharedStrings", "sharedStrings.xml")
        ),
        "xl/sharedStrings.xml": f'<sst {main} uniqueCount="{len(texts)}">'
        + "".join(f"<si><t>{text}</t></si>" for text in texts)
        + "</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{rows}</sheetData></worksheet>",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as book:
        for name, part in parts.items():
            book.writestr(name, part)
    return archive.getvalue()


def workbook():
    """A skills matrix of people whom nobody knows. The emulator has fewer languages than it has columns: they repeat."""
    headings = [f"Language: {['German', 'French', 'Spanish'][n % 3]}" for n in range(SHEET_SKILLS)]
    rows = ([f"unknown.person.{n:07}@example.com"] + [1 + n % 5] * SHEET_SKILLS for n in range(SHEET_AGENTS))
    return as_workbook([["user", *headings], *rows])


def rejected(name, body):
    """Imports a file of users whom nobody knows: its answer, what it wrote, and what it took."""
    connect_process, connect, instance = emulator("--users", "10000", "--rate", "1000")
    store = s3()
    store.objects[f"incoming/{name}"] = body
    store_server, store_at = serve(store)
    handler = runtime([{"source": f"s3://imports/incoming/{name}"}])
    runtime_server, runtime_at = serve(handler)
    process = start(
        runtime_at,
        CONNECT_INSTANCE_ID=instance,
        AWS_ENDPOINT_URL_S3=f"http://{store_at}",
        AWS_ENDPOINT_URL_CONNECT=connect,
        REQUESTS_PER_SECOND="1000",
    )
    began = time.perf_counter()
    handler.answered.wait(600)
    took = time.perf_counter() - began
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    cpu = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    process.kill()
    connect_process.kill()
    kind, answer = handler.answers[0]
    assert kind == "response", answer
    lines = next(body for key, body in store.objects.items() if key.endswith("results.csv")).count(b"\n")
    page = len(next(body for key, body in store.objects.items() if key.endswith("report.html")))
    store_server.shutdown()
    runtime_server.shutdown()
    own = (int(cpu[11]) + int(cpu[12])) / os.sysconf("SC_CLK_TCK")
    return answer["imports"][0], lines, page, int(re.search(r"VmHWM:\s+(\d+)", status)[1]), took, own


def peak(process):
    """The most memory that a process has held, in KiB; 0 once it is gone."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])
    except (FileNotFoundError, TypeError):
        return 0


class Large:
    """A large import that is killed on the way: the memory of each of its deliveries."""

    def __init__(self, n_users, text, **options):
        self.connect_process, self.connect, self.instance = emulator("--users", str(n_users), "--rate", "0")
        self.store = s3()
        self.store.objects["incoming/large.csv"] = text.encode()
        self.store_server, self.store_at = serve(self.store)
        self.event = {"source": "s3://imports/incoming/large.csv", "import_id": "large", **options}

    def deliver(self, is_enough=lambda journal: False):
        """One process, until it answers or the journal is long enough: its answer if it gave one, and its memory."""
        handler = runtime([self.event])
        runtime_server, runtime_at = serve(handler)
        process = start(
            runtime_at,
            CONNECT_INSTANCE_ID=self.instance,
            AWS_ENDPOINT_URL_S3=f"http://{self.store_at}",
            AWS_ENDPOINT_URL_CONNECT=self.connect,
            REPORT_BUCKET="imports",
            REQUESTS_PER_SECOND="2000",
            REQUEST_BURST="100",
        )
        held, end = 0, time.time() + 600
        while time.time() < end and not handler.answered.wait(0.05) and not is_enough(self.journal()):
            held = max(held, peak(process))
        held = max(held, peak(process))
        process.kill()
        process.wait()
        runtime_server.shutdown()
        runtime_server.server_close()
        answer = handler.answers[0] if handler.answers else None
        assert answer is None or answer[0] == "response", answer
        return answer and answer[1]["imports"][0], held

    def journal(self):
        """How many users the journal says are done, about: a line each."""
        segments = [body for key, body in list(self.store.objects.items()) if "/journal/" in key]
        return sum(body.count(b'{"completed"') for body in segments)

    def close(self):
        self.connect_process.kill()
        self.connect_process.wait()
        self.connect_process.stdout.close()
        self.store_server.shutdown()
        self.store_server.server_close()


def large(name, n_users, text, **options):
    """Imports a large file whole, and the next night once more, when nobody is read; and killed twice near its end: the second
    delivery reads segments, the third what the second has merged."""
    whole = Large(n_users, text, recheck_days=28, **options)
    answer, fresh = whole.deliver()
    whole.event["import_id"] = "the next night"
    began = time.perf_counter()
    night, recorded = whole.deliver()
    took = time.perf_counter() - began
    (record,) = [body for key, body in whole.store.objects.items() if "/seen/" in key]
    is_unchanged = night["rows"]["unchanged"] == night["rows"]["total"]
    whole.close()
    killed = Large(n_users, text, **options)
    killed.deliver(lambda n_done: n_done > n_users * 0.9)
    _, resumed = killed.deliver(lambda n_done: n_done > n_users * 0.95)
    again, merged = killed.deliver()
    killed.close()
    is_same = again["rows"] == answer["rows"] and again["status"] == answer["status"]
    print(f"{name:17} {fresh / 1024:8.1f} MiB   fresh; {resumed / 1024:.1f} resumed, {merged / 1024:.1f} merged (at most {MAX_RESUMED_KIB >> 10})")
    print(f"                  {json.dumps({'status': answer['status'], **{k: v for k, v in answer['rows'].items() if v}, 'the same again': is_same})}")
    print(f"  the next night  {recorded / 1024:8.1f} MiB   in {took:.1f} s; the record has {len(record) / (1 << 20):.1f} MiB; {json.dumps(night['rows']['unchanged'])} rows are unchanged")
    is_held = max(resumed, merged, recorded) <= MAX_RESUMED_KIB
    return is_same and is_unchanged and answer["status"] == "succeeded" and is_held


def exported(name, **request):
    """Exports what many users have: whole, and killed twice near its end."""
    whole, killed = (Large(EXPORT_USERS, "") for _ in range(2))
    whole.event = killed.event = {**request, "import_id": "export"}
    answer, fresh = whole.deliver()
    killed.deliver(lambda n_done: n_done > EXPORT_USERS * 0.9)
    _, resumed = killed.deliver(lambda n_done: n_done > EXPORT_USERS * 0.95)
    again, merged = killed.deliver()
    tables = [[body for key, body in store.objects.items() if key.startswith("reports/") and key.endswith(".csv")] for store in (whole.store, killed.store)]
    whole.close()
    killed.close()
    is_same = tables[0] == tables[1] and len(tables[0]) == 1
    print(f"{name:17} {fresh / 1024:8.1f} MiB   fresh; {resumed / 1024:.1f} resumed, {merged / 1024:.1f} merged (at most {MAX_RESUMED_KIB >> 10})")
    print(f"                  {json.dumps({'status': again['status'], 'rows': answer['rows']['total'], 'MiB': round(len(tables[0][0]) / (1 << 20), 1), 'the same again': is_same})}")
    return is_same and answer["status"] == again["status"] == "succeeded" and max(fresh, resumed, merged) <= MAX_RESUMED_KIB


def config_rows():
    """Each user's four channels, all of which change."""
    rows = (
        f"agent-{n:05},{channel},{'yes' if n % 2 else 'no'},{30 + n % 60}"
        for n in range(1, CONFIG_USERS + 1)
        for channel in ["VOICE", "CHAT", "TASK", "EMAIL"]
    )
    return "user,channel,auto_accept,after_contact_work_seconds\n" + "\n".join(rows) + "\n"


def replace_rows():
    """A new set for each user."""
    rows = (f"agent-{n:05},Language,{['German', 'French', 'Spanish'][n % 3]},{1 + n % 5}" for n in range(1, REPLACE_USERS + 1))
    return "user,attribute,value,level\n" + "\n".join(rows) + "\n"


def main():
    size = BINARY.stat().st_size
    print(f"binary            {size / (1 << 20):8.2f} MiB   (at most {MAX_BYTES >> 20})")
    starts = sorted(start_time() for _ in range(9))
    print(f"start             {starts[4] * 1000:8.1f} ms    (median of 9, to the first ask for work; best {starts[0] * 1000:.1f})")
    answer, lines, page_bytes, peak_kib, took, own = rejected("million.csv", million_rows())
    print(f"{ROWS:,} rows    {peak_kib / 1024:8.1f} MiB   peak (at most {MAX_PEAK_KIB >> 10}), {took:.1f} s, of which {own:.1f} s our own")
    print(f"                  {json.dumps({'status': answer['status'], 'invalid': answer['rows']['invalid'], 'lines of results.csv': lines, 'KiB of report.html': page_bytes // 1024})}")
    is_right = answer["rows"]["invalid"] == ROWS and lines == ROWS + 1 and page_bytes <= MAX_PAGE_BYTES
    book = workbook()
    answer, lines, page_bytes, sheet_kib, took, own = rejected("skills.xlsx", book)
    print(f"workbook          {sheet_kib / 1024:8.1f} MiB   peak (at most {MAX_SHEET_KIB >> 10}), {took:.1f} s, of which {own:.1f} s our own; {SHEET_AGENTS:,} agents by {SHEET_SKILLS} skills in {len(book) / (1 << 20):.1f} MiB")
    print(f"                  {json.dumps({'status': answer['status'], 'invalid': answer['rows']['invalid'], 'lines of results.csv': lines})}")
    is_right &= answer["rows"]["invalid"] == SHEET_AGENTS * SHEET_SKILLS and lines == SHEET_AGENTS * SHEET_SKILLS + 1 and sheet_kib <= MAX_SHEET_KIB
    is_right &= large("settings, killed", CONFIG_USERS, config_rows())
    is_right &= large("replace, killed", REPLACE_USERS, replace_rows(), mode="replace", max_removals_percent=100)
    is_right &= exported("export, killed", export="proficiencies", form="wide")
    is_right &= exported("settings exported", export="user_config")
    return 0 if size <= MAX_BYTES and peak_kib <= MAX_PEAK_KIB and is_right else 1


if __name__ == "__main__":
    sys.exit(main())
