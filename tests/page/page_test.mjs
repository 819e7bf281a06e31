// report.html in a browser, as `cargo run --example report` writes it: what people see, and what a page must never do.
//
//     cargo run --example report && cd tests/page && npm ci && node page_test.mjs
//
// CHROMIUM names another browser than Debian's.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FOLDER = resolve(import.meta.dirname, "../../target/pages");
const AXE = readFileSync(resolve(import.meta.dirname, "node_modules/axe-core/axe.min.js"), "utf8");
const MAX_BYTES = 512 * 1024;
const SIZES = [{ width: 1280, height: 800 }, { width: 320, height: 640 }];

const pages = readdirSync(FOLDER).filter((name) => name.endsWith(".html"));
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
});
after(() => browser.close());

/** Opens a page, and keeps all that it asks for and complains of. */
async function opened(name, options, waitUntil = "load") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const asked = [];
  const complained = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => complained.push(message.text()));
  page.on("pageerror", (error) => complained.push(String(error)));
  page.on("dialog", (dialog) => complained.push(dialog.message()));
  const url = pathToFileURL(join(FOLDER, name)).href;
  await page.goto(url, { waitUntil });
  return { page, url, asked, complained, close: () => context.close() };
}

test("there is a page of each kind of end", () => {
  for (const name of ["succeeded", "with-errors", "rejected", "denied", "cancelled", "under-way", "plan", "withheld", "kept", "exported"]) {
    assert.ok(pages.includes(`${name}.html`), name);
  }
});

for (const name of pages) {
  test(name, async (t) => {
    await t.test("is small", () => assert.ok(statSync(join(FOLDER, name)).size <= MAX_BYTES));

    for (const viewport of SIZES) {
      for (const colorScheme of ["light", "dark"]) {
        await t.test(`${viewport.width} px, ${colorScheme}`, async () => {
          // The page forbids scripts, that of axe among them.
          const view = await opened(name, { viewport, colorScheme, bypassCSP: true });
          await view.page.addScriptTag({ content: AXE });
          const { violations } = await view.page.evaluate(() => globalThis.axe.run(document));
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]), []);
          const { wide, room } = await view.page.evaluate(() => ({
            wide: document.documentElement.scrollWidth,
            room: document.documentElement.clientWidth,
          }));
          assert.ok(wide <= room, `${wide} px are wider than ${room}`);
          await view.close();
        });
      }
    }

    await t.test("asks for nothing, complains of nothing, and runs nothing", async () => {
      const view = await opened(name, {}, "networkidle");
      assert.deepEqual(view.asked, [view.url]);
      assert.deepEqual(view.complained, []);
      const found = await view.page.evaluate(() => document.querySelectorAll("script, img, iframe, link, object, a").length);
      assert.equal(found, 0);
      await view.close();
    });

    await t.test("says on its first screen what happened and what to do", async () => {
      for (const viewport of SIZES) {
        const view = await opened(name, { viewport });
        for (const selector of ["h1", ".next"]) {
          const { y, height } = await view.page.locator(selector).boundingBox();
          // A long sentence may need a second look on a telephone, but begins on the first.
          const end = viewport.width > 600 || selector === "h1" ? y + height : y;
          assert.ok(end <= viewport.height, `${selector} ends at ${end} px of ${viewport.height}`);
        }
        await view.close();
      }
    });

    await t.test("can be printed", async () => {
      const view = await opened(name, { colorScheme: "dark" });
      await view.page.emulateMedia({ media: "print" });
      const paper = await view.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(paper, "rgb(255, 255, 255)", "a page in the dark is printed on white");
      const pdf = await view.page.pdf({ path: join(mkdtempSync(join(tmpdir(), "page-")), "page.pdf"), format: "A4" });
      assert.ok(pdf.length > 1000);
      await view.close();
    });
  });
}

test("what the cells of a file hold is text and no more", async () => {
  const view = await opened("with-errors.html", {});
  const text = await view.page.locator("main").innerText();
  for (const cell of ["<script>alert(1)</script>", "]]>", "<img src=x onerror=alert(1)>", "=HYPERLINK('http://x')"]) {
    assert.ok(text.includes(cell), cell);
  }
  // A mark of direction ends where its cell ends.
  const box = (text) => view.page.getByText(text, { exact: false }).first().boundingBox();
  const [before, line] = await Promise.all([box("gnp.exe"), view.page.locator("#mend").boundingBox()]);
  assert.ok(before.x >= line.x);
  await view.close();
});
