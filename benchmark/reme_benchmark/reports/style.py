"""The report's style sheet: inline, for screens in light and dark, and for paper."""

STYLE = """
:root {
  --paper: #ffffff; --ink: #1b2430; --soft: #5b6675; --line: #dde2e8; --card: #f6f8fa;
  --accent: #2563a8; --good: #1a7f4b; --bad: #b3372f; --warn: #9a6700;
  --c0: #8b95a1; --c1: #2563a8; --c2: #d98324; --c3: #2a9d8f; --c4: #8e5ea2; --c5: #c0504d;
  --c6: #7aa6d1; --c7: #a9b665; --c8: #6b7280; --c9: #e0b252;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12171e; --ink: #e4e9ef; --soft: #9aa6b4; --line: #2c3540; --card: #1a212a;
    --accent: #6aa9e9; --good: #4fbf85; --bad: #ef7d73; --warn: #d9a94a;
    --c0: #7d8894; --c1: #6aa9e9; --c2: #eba35a; --c3: #4fc3b4; --c4: #b98ccc; --c5: #e5837f;
    --c6: #43698f; --c7: #c5d07f; --c8: #a3acb8; --c9: #efcb7b;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1040px; padding: 32px 24px 64px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue",
  "DejaVu Sans", Arial, sans-serif; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 6px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 22px 0 6px; }
p { margin: 4px 0 12px; max-width: 76ch; }
a { color: inherit; }
.soft, .note { color: var(--soft); }
.note { font-size: 13.5px; }
.alert { border-left: 4px solid var(--warn); background: var(--card); padding: 10px 14px;
  margin: 16px 0; border-radius: 0 6px 6px 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 12px;
  margin: 22px 0 6px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 14px; }
.tile b { display: block; font-size: 25px; line-height: 1.25; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: 13px; color: var(--soft); }
.tile.main b { color: var(--accent); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 24px; }
svg { display: block; width: 100%; height: auto; margin: 8px 0 4px; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", Arial,
  sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--soft); font-size: 11px; } svg .value { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .whisker { stroke: var(--accent); stroke-width: 2; opacity: 0.55; }
svg .point { fill: var(--accent); stroke: var(--paper); stroke-width: 1.5; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); }
.c4 { fill: var(--c4); } .c5 { fill: var(--c5); } .c6 { fill: var(--c6); } .c7 { fill: var(--c7); }
.c8 { fill: var(--c8); } .c9 { fill: var(--c9); }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); }
.b3 { background: var(--c3); } .b4 { background: var(--c4); } .b5 { background: var(--c5); }
.b6 { background: var(--c6); } .b7 { background: var(--c7); } .b8 { background: var(--c8); }
.b9 { background: var(--c9); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0 0;
  padding: 0; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
  margin-right: 6px; vertical-align: -1px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin: 8px 0; }
th, td { text-align: left; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.k { white-space: nowrap; }
.passed { color: var(--good); font-weight: 600; } .failed { color: var(--bad); font-weight: 600; }
.other { color: var(--warn); font-weight: 600; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 8px 0; background: var(--card);
  break-inside: avoid-page; }
summary { cursor: pointer; padding: 9px 14px; }
summary .tag { float: right; margin-left: 12px; font-size: 12.5px; color: var(--soft);
  border: 1px solid var(--line); border-radius: 10px; padding: 0 9px; background: var(--paper); }
details > div { padding: 2px 14px 12px; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 6px;
  padding: 10px 12px; margin: 6px 0 10px; overflow-x: auto; max-height: 420px;
  font: 12.5px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: 0.92em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.add { color: var(--good); } .del { color: var(--bad); }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media print {
  :root { --paper: #fff; --ink: #111; --soft: #444; --line: #bbb; --card: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  h2 { break-after: avoid-page; } svg, table, .tile { break-inside: avoid-page; }
  pre { max-height: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  details:not([open]) > :not(summary) { display: block; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
