// A page's end of the line: hears which stages are stored and has the parts that wait for them drawn.
//
// Hints may be lost, early, or come while a part is being drawn. So what was said is remembered, a
// part says with each drawing what it still lacks, and a line that is silent although somebody waits
// is asked: the answer says everything again.

const OVER = ["finished", "failed", "cancelled"];
const TICK = 300; // ms between looks at the line, only while somebody waits
const QUIET = 800; // ms of silence after which a line is asked whether it lives
const LOOK = 2000; // ms between looks of parts that wait, while the line does not answer
const PATIENCE = 1000; // ms until a line is opened or a part asked anew, then twice as long
const LONGEST = 10000;
const LEAVING = 60000; // ms after which a page that was to be left is believed to stay
const REMEMBERED = 500; // things said

/** A part of the page: what it lacks, and how it is asked to draw itself again. */
class Part {
  /** @param {{data: {key: string, works: Object<string, string[]>, waits: boolean, hears: string[],
   *   drawn: number, setting: string}, parentElement: HTMLElement}} */
  constructor({ data, parentElement }) {
    Object.assign(this, data);
    const { key: part, setting, waits } = data;
    Object.assign(parentElement.dataset, { part, setting, waits }); // for tests and measurements
    this.ask = () => document.querySelector(`.st-key-harmony-ask-${part} button`)?.click();
  }
}

/** How far some works are, together: a bar and a step, for which no part is drawn. */
class Bar {
  /** @param {{data: {works: Object<string, object>, label: string, ended: number, what: string},
   *   parentElement: HTMLElement}} */
  constructor({ data, parentElement }) {
    Object.assign(this, data, { works: { ...data.works } });
    this.root = parentElement.querySelector(".harmony-bar") ?? parentElement.appendChild(this.empty());
    this.show();
  }

  empty() {
    const root = document.createElement("div");
    root.className = "harmony-bar";
    root.setAttribute("role", "progressbar");
    root.append(document.createElement("p"), document.createElement("div"));
    root.lastChild.append(document.createElement("div"));
    return root;
  }

  hear(work, progress) {
    if (!(work in this.works)) return;
    this.works[work] = progress;
    this.show();
  }

  show() {
    const works = Object.values(this.works);
    const waiting = works.filter(({ state }) => !OVER.includes(state));
    const total = this.ended + works.length;
    const ended = total - waiting.length;
    const fraction = waiting.reduce((sum, work) => sum + work.fraction, ended) / total;
    const current = waiting.find(({ state }) => state === "running") ?? waiting[0];
    const step = current?.step || this.label;
    this.waits = waiting.length > 0;
    this.root.hidden = !this.waits;
    this.root.setAttribute("aria-label", this.label);
    this.root.setAttribute("aria-valuenow", Math.round(100 * fraction));
    const [text, track] = this.root.children;
    text.textContent = total > 1 ? `${ended} of ${total} ${this.what} · ${step}` : step;
    track.firstChild.style.width = `${100 * fraction}%`;
  }
}

/** Return what an ear stands for, made anew when its element was. */
function behind(element) {
  if (element.of !== element.component) {
    element.of = element.component;
    element.behind = element.component.data.drawn ? new Part(element.of) : new Bar(element.of);
  }
  return element.behind;
}

/** Return those of a kind that are on the page, in their order there. */
function all(kind) {
  return [...document.querySelectorAll("[data-ear]")].map(behind).filter((one) => one instanceof kind);
}

class Line {
  constructor(address) {
    this.address = address;
    this.number = 0; // of messages
    this.said = new Map(); // a stage of a work, or that a work is over → number of the message
    this.asked = new Map(); // part → number of the last message when it was asked
    this.due = new Set(); // parts to be asked
    this.asking = null;
    this.left = null; // address of a page that is being left by a link
    this.leaving = new Set(); // parts of a page that is being left through the browser's history
    this.patience = PATIENCE;
    this.pause = TICK / 2; // until the next try to open
    this.lookedAt = Date.now(); // a line that opens says everything
    this.questionAt = null; // when the line was asked something that it has not answered
    this.linePatience = PATIENCE;
    this.onEar = ({ detail }) => this.announced(behind(detail));
    this.onSeen = () => document.hidden || this.check();
    this.onClick = (event) => this.followed(event);
    this.onHistory = () => this.wentThroughHistory();
    document.addEventListener("harmony-ear", this.onEar);
    document.addEventListener("visibilitychange", this.onSeen);
    document.addEventListener("click", this.onClick, true);
    window.addEventListener("popstate", this.onHistory);
    this.open();
  }

  open() {
    const url = new URL(this.address, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    this.heardAt = Date.now();
    this.tick();
    socket.onopen = () => {
      this.pause = TICK / 2;
      this.isOpen = true;
    };
    socket.onmessage = ({ data }) => this.socket === socket && this.heard(JSON.parse(data));
    socket.onclose = () => this.socket === socket && this.lost();
  }

  /** The line is cut, or dead without having said so: another is opened. */
  lost() {
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    this.isOpen = false;
    this.questionAt = null;
    clearTimeout(this.again);
    this.again = setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST);
  }

  heard(hints) {
    this.heardAt = Date.now();
    if (this.heardAt - this.questionAt < PATIENCE) this.linePatience = PATIENCE;
    this.questionAt = null;
    this.number += 1;
    for (const { work, stages = [], progress, name } of hints) {
      if (name) this.want(({ hears }) => hears.includes(name));
      if (!work) continue;
      for (const stage of stages) this.remember(`${work} ${stage}`);
      if (OVER.includes(progress.state)) this.remember(work);
      for (const bar of all(Bar)) bar.hear(work, progress);
    }
    this.want((part) => this.concerns(part));
  }

  remember(what) {
    this.said.delete(what); // so that the first are those that were said longest ago
    this.said.set(what, this.number);
    if (this.said.size > REMEMBERED) this.said.delete(this.said.keys().next().value);
  }

  /** Whether something was said, since a part was last asked, that it lacked when it was drawn. */
  concerns({ key, works, waits }) {
    const asked = this.asked.get(key) ?? 0;
    const isNews = (what) => (this.said.get(what) ?? 0) > asked;
    return Object.entries(works).some(
      ([work, missing]) =>
        missing.some((stage) => isNews(`${work} ${stage}`)) || (waits && isNews(work)),
    );
  }

  /** A part was drawn, or a bar. */
  announced(one) {
    this.tick();
    if (!(one instanceof Part)) return;
    this.path = location.pathname;
    if (this.asking?.key === one.key && this.asking.drawn !== one.drawn) {
      clearTimeout(this.late);
      this.asking = null;
      this.patience = PATIENCE;
    } else {
      this.leaving.delete(one.key); // a page run has drawn it
    }
    if (this.concerns(one)) this.due.add(one.key);
    queueMicrotask(() => this.next());
  }

  /** Have parts drawn again. */
  want(which) {
    for (const part of all(Part)) if (which(part)) this.due.add(part.key);
    this.next();
  }

  /** A link to another page was clicked: until that is there, no part of this one is asked. Streamlit
   * would take the question, which names the page that it comes from, for the wish to stay. */
  followed({ target, ctrlKey, metaKey, shiftKey }) {
    const link = target.closest?.("a[href]");
    if (!link || ctrlKey || metaKey || shiftKey || link.target === "_blank") return;
    if (link.origin !== location.origin || link.pathname === location.pathname) return;
    this.left = location.pathname;
    this.stayAfterAll();
  }

  /** The browser went back or forward: as after a link, but the address is the other page's already,
   * so what it leaves is known by its parts. */
  wentThroughHistory() {
    if (location.pathname === this.path) return;
    this.leaving = new Set(all(Part).map(({ key }) => key));
    this.stayAfterAll();
  }

  stayAfterAll() {
    clearTimeout(this.staying);
    this.staying = setTimeout(() => {
      this.left = null;
      this.leaving.clear();
      this.next();
    }, LEAVING);
  }

  /** Ask one part at a time, so that what comes meanwhile is drawn with it. */
  next() {
    if (this.asking || this.left === location.pathname) return;
    this.left = null;
    const parts = all(Part).filter(({ key }) => !this.leaving.has(key));
    const part = parts.find(({ key }) => this.due.has(key));
    if (!part) {
      if (!this.leaving.size) this.due.clear(); // of parts that are gone
      return;
    }
    this.due.delete(part.key);
    this.asked.set(part.key, this.number);
    this.asking = part;
    this.late = setTimeout(() => this.unanswered(), this.patience);
    part.ask();
  }

  /** The question or its answer was lost, or the server is busy and not helped by being asked more. */
  unanswered() {
    this.due.add(this.asking.key);
    this.asking = null;
    this.patience = Math.min(2 * this.patience, LONGEST);
    this.next();
  }

  get isAwaited() {
    return [...all(Part), ...all(Bar)].some(({ waits }) => waits);
  }

  /** Look at the line while somebody waits, and not at all while nobody does. */
  tick() {
    if (this.timer || !this.isAwaited) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.check();
    }, TICK);
  }

  /** Ask the line whether it lives; while it does not answer, parts that wait look by themselves. */
  check() {
    if (!this.isAwaited) return;
    const now = Date.now();
    if (this.isOpen && !this.questionAt && now - this.heardAt > QUIET) {
      this.questionAt = now;
      this.socket.send("?");
    }
    const unanswered = this.questionAt ? now - this.questionAt : 0;
    if ((!this.isOpen || unanswered > PATIENCE) && now - this.lookedAt > LOOK) {
      this.lookedAt = now;
      this.want(({ waits }) => waits);
    }
    if (unanswered > this.linePatience) {
      this.linePatience = Math.min(2 * this.linePatience, LONGEST); // it may only be busy
      this.lost();
    }
    this.tick();
  }

  end() {
    document.removeEventListener("harmony-ear", this.onEar);
    document.removeEventListener("visibilitychange", this.onSeen);
    document.removeEventListener("click", this.onClick, true);
    window.removeEventListener("popstate", this.onHistory);
    for (const timer of [this.timer, this.again, this.late, this.staying]) clearTimeout(timer);
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
  }
}

/** @type {WeakMap<HTMLElement, Line>} */
const lines = new WeakMap();

export default function ({ data, parentElement }) {
  const line = lines.get(parentElement);
  if (line?.address !== data.address) {
    line?.end(); // another session in the same page: the server was restarted
    lines.set(parentElement, new Line(data.address));
  }
  return () => {
    lines.get(parentElement)?.end();
    lines.delete(parentElement);
  };
}
