// The style of the report.
#pragma once

#include <string_view>

namespace leash::ctl {

inline constexpr std::string_view kReportStyle = R"(
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#1a1f27;--soft:#5b6472;--line:#dfe3e8;--track:#edf0f3;
--passed:#3b73b9;--would:#d99a1c;--refused:#c2372e;--error:#7b6a99;--good:#1f7a4a;--good-bg:#e6f4ec;--bad-bg:#fbe9e7;--warn-bg:#fdf3dd;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--page:#12151a;--card:#1b2027;--ink:#e6e9ee;--soft:#9aa4b2;--line:#2c333d;--track:#262d36;
--passed:#6aa0e0;--would:#e3b04b;--refused:#e8695f;--error:#a796c9;--good:#62c48e;--good-bg:#16301f;--bad-bg:#3a1c1a;--warn-bg:#33280f;--warn:#e3b04b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:17px;margin:0 0 2px}
p{margin:0 0 8px}
.soft,.note{color:var(--soft)}
.note{font-size:13px;margin:0 0 12px;max-width:95ch}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:16px}
.verdict{display:flex;gap:12px;align-items:baseline;border-radius:10px;padding:12px 20px;margin-top:20px;border:1px solid var(--line)}
.verdict strong{white-space:nowrap}
.verdict.good{background:var(--good-bg)}.verdict.good strong{color:var(--good)}
.verdict.bad{background:var(--bad-bg)}.verdict.bad strong{color:var(--refused)}
.verdict.warn{background:var(--warn-bg)}.verdict.warn strong{color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin-top:16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px;min-width:0}
.tile b{display:block;font-size:24px;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
.t-refused b{color:var(--refused)}.t-would b{color:var(--warn)}.t-error b{color:var(--error)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--soft);margin:6px 0 10px}
.legend svg{width:10px;height:10px;margin-right:6px}
.plot{display:grid;grid-template-columns:auto 1fr;gap:0 8px}
.plot .y{display:flex;flex-direction:column;justify-content:space-between;text-align:right;font-size:12px;line-height:1;color:var(--soft);height:190px;margin:-6px 0;padding:0;font-variant-numeric:tabular-nums}
.plot svg{width:100%;height:178px;display:block}
.plot .y{height:190px}
.plot .x{grid-column:2;display:flex;justify-content:space-between;font-size:12px;color:var(--soft);padding-top:8px;font-variant-numeric:tabular-nums}
.grid{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
.f-passed{fill:var(--passed)}.f-would{fill:var(--would)}.f-refused{fill:var(--refused)}.f-error{fill:var(--error)}.f-track{fill:var(--track)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;font-size:12px;color:var(--soft);padding:6px 12px 6px 0;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:bottom}
td{padding:7px 12px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
th:last-child,td:last-child{padding-right:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.t{white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--soft)}
.name{font-weight:550;overflow-wrap:anywhere;min-width:11em}
.mono,.name .mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:12.5px;font-weight:400;overflow-wrap:anywhere}
.name .mono{display:block;color:var(--soft)}
.bar{display:block;width:100%;min-width:90px;height:8px;margin-top:7px;border-radius:4px}
td.b{width:26%}
.r{color:var(--refused)}.w{color:var(--warn)}.e{color:var(--error)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:8px 0 0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;min-width:0}
.none{color:var(--soft);margin:6px 0 0}
footer{color:var(--soft);font-size:13px;margin-top:20px}
@media(max-width:640px){main{padding:20px 12px 32px}h1{font-size:22px}section{padding:14px}.tiles{grid-template-columns:repeat(2,1fr);gap:8px}
.tile{padding:10px 12px}.tile b{font-size:20px}.wide{display:none}.verdict{flex-direction:column;gap:2px;padding:12px 14px}td.b{width:22%}.bar{min-width:48px}
.name{min-width:8em}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--track:#eee;--passed:#3b73b9;--would:#d99a1c;--refused:#c2372e;
--error:#7b6a99;--good:#1f7a4a;--good-bg:#fff;--bad-bg:#fff;--warn-bg:#fff;--warn:#8a5a00}body{font-size:11px}main{max-width:none;padding:0}
section,.tile,.verdict{break-inside:avoid;border-radius:0}section.long{break-inside:auto}tr{break-inside:avoid}thead{display:table-header-group}h2,.note{break-after:avoid}.scroll{overflow:visible}
svg{print-color-adjust:exact;-webkit-print-color-adjust:exact}table{font-size:10.5px}}
)";

}  // namespace leash::ctl
