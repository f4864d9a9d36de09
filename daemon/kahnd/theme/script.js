// Light or dark, the menu on narrow screens, buttons that copy code, the place on the page, and the search.
// All of it adds to pages that can be read without it. Nothing here asks the network for anything.

const root = document.documentElement
const one = (selector, within = document) => within.querySelector(selector)
const all = (selector, within = document) => [...within.querySelectorAll(selector)]

one(".appearance")?.addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"
  const next = (root.dataset.appearance ?? system) === "dark" ? "light" : "dark"
  // Back at what the system says, the page follows the system again.
  if (next === system) delete root.dataset.appearance
  else root.dataset.appearance = next
  try {
    if (next === system) localStorage.removeItem("appearance")
    else localStorage.setItem("appearance", next)
  } catch {} // the choice then lasts for this page
})

const menu = one(".menu")
const navigation = one(".navigation")
const showMenu = shown => {
  navigation.classList.toggle("shown", shown)
  menu.setAttribute("aria-expanded", shown)
  if (shown) (one("[aria-current]", navigation) ?? one("a", navigation))?.focus()
}
menu?.addEventListener("click", () => showMenu(menu.getAttribute("aria-expanded") !== "true"))
document.addEventListener("click", event => {
  const open = menu?.getAttribute("aria-expanded") === "true"
  if (open && !navigation.contains(event.target) && !menu.contains(event.target)) showMenu(false)
})
if (navigation) {
  const current = one("[aria-current]", navigation)
  if (current) navigation.scrollTop = current.offsetTop - navigation.clientHeight / 2
}

const button = one("#copy-button")
if (button && navigator.clipboard) {
  for (const block of all("article pre")) {
    const around = block.parentElement.classList.contains("highlight") ? block.parentElement : block
    const wrapper = document.createElement("div")
    wrapper.className = "copyable"
    around.replaceWith(wrapper)
    const copy = button.content.firstElementChild.cloneNode(true)
    wrapper.append(around, copy)
    const label = copy.textContent
    copy.addEventListener("click", async () => {
      const code = block.cloneNode(true)
      for (const prompt of all(".gp, .linenos", code)) prompt.remove()
      await navigator.clipboard.writeText(code.textContent)
      copy.textContent = copy.dataset.done
      setTimeout(() => { copy.textContent = label }, 1500)
    })
  }
}
// A block that scrolls can be reached by the keyboard.
for (const block of all("article pre, article table")) {
  if (block.scrollWidth > block.clientWidth) block.tabIndex = 0
}

const inContents = new Map(all(".contents a").map(link => [decodeURIComponent(link.hash.slice(1)), link]))
if (inContents.size) {
  const headings = [...inContents.keys()].map(id => document.getElementById(id)).filter(Boolean)
  let marked
  const mark = () => {
    const passed = headings.filter(heading => heading.getBoundingClientRect().top < 120)
    const link = inContents.get(passed.at(-1)?.id)
    if (link === marked) return
    marked?.removeAttribute("aria-current")
    link?.setAttribute("aria-current", "true")
    marked = link
  }
  let waiting = false
  addEventListener("scroll", () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => { waiting = false; mark() })
  }, { passive: true })
  mark()
}

// The search: every word must be found on a page, as the beginning of a word or within one.

const dialog = one("dialog.search")
const most = 20

const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()

const load = () => new Promise((resolve, reject) => {
  if (window.searchIndex) return resolve(window.searchIndex)
  const script = document.createElement("script") // not fetch, which can't read files from file://
  script.src = dialog.dataset.index
  script.onload = () => resolve(window.searchIndex)
  script.onerror = reject
  document.head.append(script)
})

let index
const prepared = async () => index ??= (await load()).map(([title, url, sections]) => ({
  title, url, folded: plain(title),
  sections: sections.map(([id, heading, text]) => ({ id, heading, text, head: plain(heading), body: plain(text) })),
}))

const score = (text, word) => {
  const at = text.indexOf(word)
  if (at < 0) return 0
  return at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1]) || text.search(new RegExp(`(?<![\\p{L}\\p{N}])${word.replace(/[^\p{L}\p{N}]/gu, "\\$&")}`, "u")) >= 0 ? 2 : 1
}

const search = (pages, query) => {
  const words = plain(query).split(/\s+/).filter(Boolean)
  if (!words.length) return []
  const found = []
  for (const page of pages) {
    let best = { points: -1 }
    const whole = new Map(words.map(word => [word, score(page.folded, word) * 12]))
    for (const section of page.sections) {
      let points = 0
      for (const word of words) {
        const here = score(section.head, word) * 5 + score(section.body, word)
        points += here
        whole.set(word, Math.max(whole.get(word), here))
      }
      if (points > best.points) best = { points, section }
    }
    if (words.every(word => whole.get(word) > 0)) {
      found.push({ page, section: best.points > 0 ? best.section : page.sections[0], points: [...whole.values()].reduce((sum, each) => sum + each) })
    }
  }
  return found.sort((a, b) => b.points - a.points).map(each => ({ ...each, words }))
}

// Texts as nodes, so that nothing in them is taken for HTML; what was searched for is marked.
const marked = (text, words) => {
  const folded = [...text].map(character => plain(character))
  const lengths = folded.map(each => each.length)
  const whole = folded.join("")
  const spans = []
  for (const word of words) {
    for (let at = whole.indexOf(word); at >= 0 && spans.length < 50; at = whole.indexOf(word, at + word.length)) spans.push([at, at + word.length])
  }
  const nodes = []
  let position = 0
  let run = ""
  let inside = false
  const flush = () => {
    if (!run) return
    const node = inside ? document.createElement("mark") : document.createTextNode(run)
    if (inside) node.textContent = run
    nodes.push(node)
    run = ""
  }
  for (const [number, character] of [...text].entries()) {
    const now = lengths[number] ? spans.some(([start, end]) => position >= start && position < end) : inside
    if (now !== inside) { flush(); inside = now }
    run += character
    position += lengths[number]
  }
  flush()
  return nodes
}

const excerpt = (section, words) => {
  const at = Math.min(...words.map(word => section.body.indexOf(word)).filter(position => position >= 0), Infinity)
  const start = Number.isFinite(at) ? Math.max(0, section.text.lastIndexOf(" ", Math.max(0, at - 50)) + 1) : 0
  const text = section.text.slice(start, start + 170)
  return (start ? "… " : "") + (start + 170 < section.text.length ? text.slice(0, Math.max(text.lastIndexOf(" "), 120)) + " …" : text)
}

const list = dialog && one(".found", dialog)
const told = dialog && one(".told", dialog)
const input = dialog && one("input", dialog)

const show = async () => {
  let pages
  try {
    pages = await prepared()
  } catch {
    told.textContent = told.dataset.gone
    return
  }
  const found = search(pages, input.value)
  const asked = input.value.trim()
  told.textContent = !asked ? told.dataset.hint : found.length ? `${found.length} ${told.dataset.some}` : told.dataset.none
  list.replaceChildren(...found.slice(0, most).map(({ page, section, words }) => {
    const item = document.createElement("li")
    const link = document.createElement("a")
    const title = document.createElement("strong")
    const text = document.createElement("small")
    link.href = `${dialog.dataset.root}/${page.url}${section?.id ? `#${encodeURIComponent(section.id)}` : ""}`
    title.append(...marked(page.title, words))
    if (section?.heading && section.heading !== page.title) title.append(" › ", ...marked(section.heading, words))
    if (section) text.append(...marked(excerpt(section, words), words))
    link.append(title, text)
    item.append(link)
    return item
  }))
}

const open = () => {
  if (dialog.open) return
  dialog.showModal()
  input.select()
  show()
}

if (dialog) {
  one(".find")?.addEventListener("click", open)
  input.addEventListener("input", show)
  list.addEventListener("click", () => dialog.close()) // a link to a place on this page
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close() })
  one("button", dialog).addEventListener("click", () => dialog.close())
  one("form", dialog).addEventListener("submit", event => {
    event.preventDefault()
    one("a", list)?.click()
  })
  dialog.addEventListener("keydown", event => {
    if (event.key === "Escape") dialog.close() // a field of this type would only be emptied
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return
    const stops = [input, ...all("a", list)]
    const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)
    event.preventDefault()
    stops[Math.max(0, Math.min(next, stops.length - 1))].focus()
  })
}

document.addEventListener("keydown", event => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]")
  const quick = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing
  if (dialog && (quick || (event.key === "k" && (event.ctrlKey || event.metaKey)))) {
    event.preventDefault()
    open()
  } else if (event.key === "Escape" && menu?.getAttribute("aria-expanded") === "true") {
    showMenu(false)
    menu.focus()
  }
})
