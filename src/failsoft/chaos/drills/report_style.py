"""How a report looks: light and dark, on a screen and on paper."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--card:#f7f8fa;--ink:#16202c;--soft:#5a6675;
--line:#dfe4ea;--good:#0a7a55;--bad:#c0271d;--none:#6b7685;--shade:#c0271d;
--full:#0f8a62;--cached:#2f6fde;--rule:#8250c8;--minimal:#d99a1c;--interrupted:#e0701f;
--raw:#c0271d;--unanswered:#4b5563;--p50:#2f6fde;--p99:#b3407f;--first:#0f8a62;--calls:#44566c}
@media (prefers-color-scheme:dark){:root{--paper:#10161d;--card:#18212b;--ink:#e8edf3;
--soft:#9aa7b6;--line:#2c3845;--good:#43c795;--bad:#ff7a6e;--none:#9aa7b6;--shade:#ff7a6e;
--full:#2fb588;--cached:#6ea0ff;--rule:#b088f0;--minimal:#e8b548;--interrupted:#f0915a;
--raw:#ff7a6e;--unanswered:#8b97a6;--p50:#6ea0ff;--p99:#e07cb4;--first:#2fb588;--calls:#9db2c9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 28px 64px}
header{display:flex;gap:24px;align-items:flex-start;justify-content:space-between}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:19px;margin:40px 0 10px}
p{margin:0 0 10px;max-width:76ch}
.soft,small{color:var(--soft)}
.badge{flex:none;font-weight:650;padding:8px 16px;border-radius:999px;border:2px solid;
white-space:nowrap}
.held{color:var(--good)}.broken{color:var(--bad)}.unknown{color:var(--none)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:24px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.tile b{display:block;font-size:25px;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:14px}
table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;padding:7px 12px 7px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:13px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.v{white-space:nowrap;font-weight:600;width:128px}
figure{margin:0 0 22px}
figcaption{font-weight:650;margin-bottom:2px}
figcaption small{font-weight:400;margin-left:6px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px;color:var(--soft);margin:2px 0 4px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:12px}
svg .grid{stroke:var(--line)}
svg .step{stroke:var(--soft);stroke-dasharray:3 3}
svg .shade{fill:var(--shade);opacity:.07}
svg .bar{stroke:var(--paper);stroke-width:.6}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .calm{fill:var(--good);opacity:.22}
svg .trouble{fill:var(--bad);opacity:.85}
svg .in{fill:#fff;font-weight:600}
@media (prefers-color-scheme:dark){svg .in{fill:#10161d}}
.full{--c:var(--full)}.cached{--c:var(--cached)}.rule{--c:var(--rule)}.minimal{--c:var(--minimal)}
.interrupted{--c:var(--interrupted)}.raw{--c:var(--raw)}.unanswered{--c:var(--unanswered)}
.p50{--c:var(--p50)}.p99{--c:var(--p99)}.first{--c:var(--first)}.calls{--c:var(--calls)}
svg .bar{fill:var(--c)}svg .line{stroke:var(--c)}.legend i{background:var(--c)}
ul{margin:0;padding-left:20px}li{margin:0 0 6px;max-width:76ch}
footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);
font-size:14px}
@media print{main{max-width:none;padding:0}figure,table{break-inside:avoid}}
"""
