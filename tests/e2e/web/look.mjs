// Every page in a real browser: both colour schemes, phone and desktop, with and without JavaScript. No console message,
// no foreign request, no horizontal scrolling, nothing that covers or is cut, nothing for axe to say.
//   look.mjs BASE SHOTS                      the pages of the suite's daemon
//   look.mjs --many SHOTS NAME=URL=SITES...  the first pages of other servers, with so many sites
import fs from "node:fs";
import path from "node:path";
import puppeteer from "puppeteer-core";

const many = process.argv[2] === "--many";
let [base, shots] = process.argv.slice(2);
const axe = fs.readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const profile = fs.mkdtempSync(path.join(process.cwd(), "profile-"));
const odd = encodeURIComponent('<script>alert(1)</script> "ü" 名前/?#%');
const pages = { overview: "/", few: "/?tag=prod", shop: "/monitor/shop", broken: "/monitor/broken", odd: `/monitor/${odd}`, nothing: "/monitor/nobody" };
const sizes = { phone: [390, 844], narrow: [320, 640], tablet: [800, 1000], desktop: [1280, 900] };
// Two hundred sites on one page: what a reader scrolls through at most.
const HEIGHT_MAX = 12000;
const faults = [];

const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium",
  userDataDir: profile,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run"],
});

// What covers something else or is cut, in a page that is open.
const layout = (page, width) => page.evaluate((wide) => {
  const faults = [];
  const label = (row) => row.querySelector("a").textContent;
  for (const row of document.querySelectorAll(".monitors > li")) {
    const [name, state, bars] = ["a", "b", "svg"].map((tag) => row.querySelector(tag).getBoundingClientRect());
    if (name.width === 0) continue; // Its group is folded.
    if (wide && state.right > bars.left + 1) faults.push(`${label(row)}: its state covers its bars`);
    // A name of thirty letters keeps its line where there is room for one.
    if (wide && row.querySelector("a").getClientRects().length > 1) faults.push(`${label(row)}: a name in several lines`);
    if (name.right > state.left + 1) faults.push(`${label(row)}: its name runs into its state`);
    const latency = row.querySelector(".latency");
    if (latency && latency.scrollWidth > latency.clientWidth) faults.push(`${label(row)}: its latency is cut`);
  }
  return faults.slice(0, 3);
}, width >= 768);

async function open(name, url, { width, height, scheme, script = true, headers = {} }) {
  const page = await browser.newPage();
  const where = `${name} ${width} ${scheme}${script ? "" : " without JavaScript"}`;
  page.on("console", (message) => {
    // A page that is not there is told by its status; Chromium notes that as well.
    if (!(name === "nothing" && message.text().includes("404"))) faults.push(`${where}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${where}: ${error}`));
  page.on("dialog", (dialog) => { faults.push(`${where}: a dialog opened`); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!request.url().startsWith(base + "/")) faults.push(`${where}: foreign request ${request.url()}`);
  });
  await page.setJavaScriptEnabled(script);
  await page.setExtraHTTPHeaders(headers);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { waitUntil: "networkidle0" });
  return { page, where };
}

async function accessible(page, where) {
  const session = await page.createCDPSession();
  const run = `${axe};axe.run({runOnly:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]})
    .then((found) => JSON.stringify(found.violations.map((one) => one.id + ": " + one.nodes.slice(0, 2).map((node) => node.html.slice(0, 160)).join(" | "))))`;
  const { result } = await session.send("Runtime.evaluate", { expression: run, awaitPromise: true });
  const violations = JSON.parse(result.value);
  for (const violation of violations) faults.push(`${where}: axe: ${violation}`);
}

let seen = 0;

// Few and many sites, in their first hour and after 90 days, without JavaScript. Axe reads the largest pages once, since
// that takes it long.
async function lookAtMany(given) {
  for (const [name, url, sites] of given.map((one) => one.split("="))) {
    base = url.replace(/\/$/, "");
    for (const [size, [width, height]] of Object.entries(sizes)) {
      for (const scheme of ["light", "dark"]) {
        const { page, where } = await open(name, url, { width, height, scheme, script: false });
        const [wide, tall] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
        if (wide > width) faults.push(`${where}: ${wide} pixels wide`);
        if (width >= 390 && sites <= 200 && tall > HEIGHT_MAX) faults.push(`${where}: ${tall} pixels high`);
        for (const fault of await layout(page, width)) faults.push(`${where}: ${fault}`);
        await page.screenshot({ path: path.join(shots, `${name}-${size}-${scheme}.png`), fullPage: sites <= 12 });
        seen += 1;
        await page.close();
      }
    }
    // With JavaScript, for its console and for axe, which runs in the page.
    for (const scheme of sites <= 200 ? ["light", "dark"] : ["light"]) {
      const { page, where } = await open(name, url, { width: 1280, height: 900, scheme });
      await accessible(page, where);
      await page.close();
    }
  }
}

async function end() {
  await browser.close();
  fs.rmSync(profile, { recursive: true, force: true });
  if (faults.length) {
    console.error([...new Set(faults)].join("\n"));
    process.exit(1);
  }
  console.log(`${seen} pages looked at, axe has nothing to say`);
  process.exit(0);
}

if (many) {
  await lookAtMany(process.argv.slice(4));
  await end();
}

for (const [name, url] of Object.entries(pages)) {
  for (const [size, [width, height]] of Object.entries(sizes)) {
    for (const scheme of ["light", "dark"]) {
      const { page, where } = await open(name, base + url, { width, height, scheme });
      const scroll = await page.evaluate(() => document.documentElement.scrollWidth);
      const tall = await page.evaluate(() => document.documentElement.scrollHeight);
      if (width >= 390 && tall > HEIGHT_MAX) faults.push(`${where}: ${tall} pixels high`);
      if (name === "overview") for (const fault of await layout(page, width)) faults.push(`${where}: ${fault}`);
      if (scroll > width) faults.push(`${where}: ${scroll} pixels wide`);
      await accessible(page, where);
      if (size === "phone" || size === "desktop") {
        await page.screenshot({ path: path.join(shots, `${name}-${size}-${scheme}.png`), fullPage: name !== "overview" });
      }
      seen += 1;
      await page.close();
    }
  }
}

// With the token, as a proxy would add it.
{
  const headers = { Authorization: "Bearer e2e-token" };
  const { page, where } = await open("secret", `${base}/monitor/secret`, { width: 1280, height: 900, scheme: "light", headers });
  await accessible(page, where);
  await page.close();
}

// Without JavaScript everything is there.
for (const [name, url] of Object.entries(pages)) {
  const plain = await open(name, base + url, { width: 1280, height: 900, scheme: "light", script: false });
  const html = await plain.page.content();
  if (name === "overview" && !/\d+ of \d+ sites are down/.test(html)) faults.push(`${plain.where}: no overall state`);
  if (name !== "nothing" && !html.includes("<svg")) faults.push(`${plain.where}: no bars`);
  if (html.includes("<script>alert")) faults.push(`${plain.where}: markup of a name`);
  await plain.page.close();
}

// The refresh replaces the content and keeps the reader's place.
{
  const { page, where } = await open("overview", `${base}/`, { width: 1280, height: 900, scheme: "light" });
  const before = await page.$eval("#made time", (time) => time.getAttribute("datetime"));
  await page.waitForFunction((at) => Date.now() > Date.parse(at) + 2500, {}, before);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForFunction((at) => document.querySelector("#made time").getAttribute("datetime") !== at, { timeout: 20000 }, before)
    .catch(() => faults.push(`${where}: it does not refresh`));
  await page.close();
}

// On the page of one monitor, too, a screen reader hears of a change.
{
  const { page, where } = await open("shop", `${base}/monitor/shop`, { width: 1280, height: 900, scheme: "light" });
  await page.$eval(".banner[data-monitor]", (banner) => { banner.dataset.state = "another"; });
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForFunction(() => document.getElementById("news").textContent.startsWith("shop is "), { timeout: 20000 })
    .catch(() => faults.push(`${where}: it does not say what changed`));
  await page.close();
}

// On paper.
{
  const { page } = await open("overview", `${base}/?tag=prod`, { width: 1280, height: 900, scheme: "light" });
  const pdf = await page.pdf({ path: path.join(shots, "overview.pdf"), format: "A4" });
  if (pdf.length < 5000) faults.push("print: an empty page");
  await page.close();
}

await end();
