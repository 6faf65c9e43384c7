// A page's end of the line: hears which stages are stored and has the parts that wait for them drawn.
//
// Hints may be lost, early, or come while a part is being drawn. So what was said is remembered, a
// part says with each drawing what it still lacks, and a line that is silent although somebody waits
// is asked: the answer says everything again.

const OVER = ["finished", "failed", "cancelled"];
const TICK = 400; // ms between looks at the line, only while somebody waits
const QUIET = 1000; // ms of silence after which a line is asked whether it lives
const LOOK = 2500; // ms between looks of parts while there is no line, then twice as long
const PATIENCE = 1000; // ms until a line is dead or a part is asked again, then twice as long
const LONGEST = 30000;
const REMEMBERED = 500; // things said

/** @returns {{part: string, works: Object<string, string[]>, waits: boolean, hears: string[],
 *   drawn: number, ask: Function}[]} of the parts on the page, in their order */
function ears() {
  return [...document.querySelectorAll("[data-part]")].map(({ ear }) => ear).filter(Boolean);
}

function bars() {
  return [...document.querySelectorAll("[data-harmony-bar]")].map(({ bar }) => bar).filter(Boolean);
}

class Line {
  constructor(address) {
    this.address = address;
    this.number = 0; // of messages
    this.said = new Map(); // a stage of a work, or that a work is over → number of the message
    this.asked = new Map(); // part → number of the last message when it was asked
    this.due = new Set(); // parts to be asked
    this.asking = null;
    this.patience = PATIENCE;
    this.pause = TICK / 2; // until the next try to open
    this.lookPause = LOOK; // until the next look without a line
    this.lookedAt = 0;
    this.questionAt = null; // when the line was asked something that it has not answered
    this.linePatience = PATIENCE;
    this.onEar = ({ detail }) => this.announced(detail);
    this.onSeen = () => document.hidden || this.check();
    document.addEventListener("harmony-ear", this.onEar);
    document.addEventListener("visibilitychange", this.onSeen);
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

  /** The line is cut: parts that wait look by themselves, and another is opened. */
  lost() {
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    if (this.isOpen) this.look();
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
    this.lookPause = LOOK;
    this.number += 1;
    for (const { work, stages = [], progress, name } of hints) {
      if (name) for (const ear of ears()) if (ear.hears.includes(name)) this.due.add(ear.part);
      if (!work) continue;
      for (const stage of stages) this.remember(`${work} ${stage}`);
      if (OVER.includes(progress.state)) this.remember(work);
      for (const bar of bars()) if (bar.work === work) bar.show(progress);
    }
    for (const ear of ears()) if (this.concerns(ear)) this.due.add(ear.part);
    this.next();
  }

  remember(what) {
    this.said.delete(what); // so that the first are those that were said longest ago
    this.said.set(what, this.number);
    if (this.said.size > REMEMBERED) this.said.delete(this.said.keys().next().value);
  }

  /** Whether something was said, since a part was last asked, that it lacked when it was drawn. */
  concerns({ part, works, waits }) {
    const asked = this.asked.get(part) ?? 0;
    const isNews = (what) => (this.said.get(what) ?? 0) > asked;
    return Object.entries(works).some(
      ([work, missing]) =>
        missing.some((stage) => isNews(`${work} ${stage}`)) || (waits && isNews(work)),
    );
  }

  /** A part was drawn, or something else on the page that waits. */
  announced(ear) {
    if (ear && this.asking?.part === ear.part && this.asking.drawn !== ear.drawn) {
      clearTimeout(this.late);
      this.asking = null;
      this.patience = PATIENCE;
    }
    if (ear && this.concerns(ear)) this.due.add(ear.part);
    this.tick();
    queueMicrotask(() => this.next());
  }

  /** Ask one part at a time: of triggers in the same tick Streamlit sends only one. */
  next() {
    if (this.asking) return;
    const ear = ears().find(({ part }) => this.due.has(part));
    if (!ear) {
      this.due.clear(); // of parts that are gone
      return;
    }
    this.due.delete(ear.part);
    this.asked.set(ear.part, this.number);
    this.asking = ear;
    this.late = setTimeout(() => this.unanswered(ear), this.patience);
    ear.ask();
  }

  /** The question or its answer was lost, or the server is busy and not helped by being asked more. */
  unanswered(ear) {
    this.patience = Math.min(2 * this.patience, LONGEST);
    this.asking = null;
    this.due.add(ear.part);
    this.next();
  }

  look() {
    this.lookedAt = Date.now();
    for (const ear of ears()) if (ear.waits) this.due.add(ear.part);
    this.next();
  }

  get isAwaited() {
    return [...ears(), ...bars()].some(({ waits }) => waits);
  }

  /** Look at the line while somebody waits, and not at all while nobody does. */
  tick() {
    if (this.timer || !this.isAwaited) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.check();
    }, TICK);
  }

  check() {
    if (!this.isAwaited) return;
    const now = Date.now();
    if (!this.isOpen) {
      if (now - this.lookedAt > this.lookPause) {
        this.lookPause = Math.min(2 * this.lookPause, LONGEST);
        this.look();
      }
    } else if (!this.questionAt) {
      if (now - this.heardAt > QUIET) this.question(now);
    } else if (now - this.questionAt > this.linePatience) {
      this.linePatience = Math.min(2 * this.linePatience, LONGEST); // it may only be busy
      this.lost();
    }
    this.tick();
  }

  question(now) {
    this.questionAt = now;
    this.socket.send("?");
  }

  end() {
    document.removeEventListener("harmony-ear", this.onEar);
    document.removeEventListener("visibilitychange", this.onSeen);
    for (const timer of [this.timer, this.again, this.late]) clearTimeout(timer);
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
