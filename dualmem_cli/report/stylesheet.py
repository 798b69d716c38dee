"""The page's style: system fonts, two schemes, one column of text from 400 to 4000 pixels, tables that become cards where it is narrow."""

STYLE = """
:root{color-scheme:light dark;
--paper:#fff;--sheet:#f7f8fa;--ink:#1c2024;--muted:#5f6873;--line:#dfe3e8;
--old:#3b6fb5;--new:#c9770a;--new-2:#e3a857;--third:#7a5ea8;--fourth:#1f7f86;--fifth:#a8446f;--sixth:#77721f;--seventh:#8fb0da;--eighth:#c3aee0;--band:#f3e3c8;
--worse:#b3261e;--worse-sheet:#fdeceb;--better:#1b6e3c;--better-sheet:#e7f5ec;--link:#2458a6}
@media (prefers-color-scheme:dark){:root{
--paper:#14171a;--sheet:#1b1f24;--ink:#e6e9ec;--muted:#9aa4af;--line:#30363d;
--old:#79a8e8;--new:#f0a33c;--new-2:#a8762c;--third:#b79be6;--fourth:#5fc1c8;--fifth:#e58bb2;--sixth:#c2bb5a;--seventh:#4a6a96;--eighth:#6d5a90;--band:#3d3120;
--worse:#ff8a80;--worse-sheet:#3a1f1e;--better:#7bd29b;--better-sheet:#183024;--link:#8ab4f8}}
*{box-sizing:border-box}
html{font-size:clamp(15px,calc(13px + .25vw),22px);-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:110rem;margin:0 auto;padding:2rem clamp(1rem,3vw,4rem) 3rem}
h1{font-size:1rem;font-weight:600;margin:0;color:var(--muted);letter-spacing:.01em}
h2{font-size:1.1rem;font-weight:600;margin:2.4rem 0 .6rem}
h3{font-size:.95rem;font-weight:600;margin:1.3rem 0 .35rem}
p{margin:.2rem 0;overflow-wrap:anywhere}
a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:.88em;overflow-wrap:anywhere}
pre{background:var(--sheet);border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;overflow-x:auto;
white-space:pre-wrap;margin:.4rem 0 1rem}
.verdict{font-size:clamp(1.35rem,1.1rem + 1.1vw,2.1rem);line-height:1.25;font-weight:600;margin:.35rem 0 .8rem;letter-spacing:-.01em}
.about{color:var(--muted);font-size:.92rem;max-width:90rem}
.worse{color:var(--worse)}.better{color:var(--better)}.faint{color:var(--muted)}
b,strong{font-weight:600}
.scroll{overflow-x:auto;margin:.3rem 0 1rem}
table{border-collapse:collapse;font-size:.92rem}
table.main{width:100%}td.long,th.long,td.remark{overflow-wrap:anywhere}
caption{text-align:left;color:var(--muted);font-size:.88rem;padding:.2rem 0 .4rem;max-width:calc(100vw - 3.6rem)}
th,td{text-align:left;vertical-align:baseline;padding:.42rem 1.1rem .42rem 0;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
thead th{font-weight:500;color:var(--muted);font-size:.85rem;white-space:nowrap;border-bottom-color:var(--muted)}
tbody th{font-weight:500}
.number{text-align:right;white-space:nowrap}
td.remark{color:var(--muted);min-width:11rem;width:30%}
table.main .name{min-width:12.5rem}
.again{color:var(--muted)}
td.drawing{vertical-align:top}
.range{display:block;width:10rem;height:1.5rem}
.range .edge{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 2}
.range .zero{stroke:var(--line);stroke-width:1}
.range .span{stroke:currentColor;stroke-width:4;stroke-linecap:round;opacity:.45}
.range .mid{fill:currentColor}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1.2rem;margin:.4rem 0 1rem;font-size:.92rem}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
ul.notes{margin:.3rem 0 1rem;padding-left:1.1rem}ul.notes li{margin:.25rem 0;overflow-wrap:anywhere}
details{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;background:var(--paper)}
details>summary{cursor:pointer;padding:.55rem .9rem;border-radius:8px;overflow-wrap:anywhere}
details>summary:hover{background:var(--sheet)}
details[open]>summary{border-bottom:1px solid var(--line);border-radius:8px 8px 0 0}
details>.inside{padding:.7rem 1rem .6rem}
summary:focus-visible,a:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
details.long{border:0;margin:.2rem 0 .6rem}details.long>summary{padding:.3rem .2rem;color:var(--muted);font-size:.88rem}
details.long[open]>summary{border:0}
.gap{display:inline-block;width:.8em}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1rem 2rem;margin:.9rem 0 1rem}
figure{margin:0;max-width:30rem}
figcaption{color:var(--muted);font-size:.85rem;line-height:1.4;margin-top:.1rem}
svg.plot{display:block;width:100%;height:auto;overflow:visible}
svg.plot *{stroke-linejoin:round;stroke-linecap:butt}
svg.plot text{font-family:inherit}
iframe{display:block;width:100%;height:min(90vh,52rem);margin:.8rem 0 1rem;
border:1px solid var(--line);border-radius:8px;color-scheme:light dark}
footer{margin-top:2.4rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--muted);font-size:.92rem}
@media (min-width:64rem) and (max-width:86rem){table.main .extra{display:none}}
@media (max-width:64rem){
table.main thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table.main,table.main tbody{display:block}
table.main tr{display:grid;grid-template-columns:minmax(5.5rem,max-content) minmax(0,1fr);gap:.1rem 1rem;
padding:.6rem 0;border-bottom:1px solid var(--line)}
table.main caption{display:block}
table.main td,table.main th{display:contents;border:0}
table.main [data-label]::before{content:attr(data-label);color:var(--muted);font-size:.85rem;font-weight:400;text-align:left}
table.main td>.value,table.main th>.value{text-align:left;overflow-wrap:anywhere;min-width:0}
table.main .blank{display:none}
table.main .name{min-width:0}main{padding-top:1.2rem}dl{gap:.2rem .8rem}
details>.inside{padding:.6rem .7rem .4rem}
}
@media (max-width:34rem){dl.facts{grid-template-columns:minmax(0,1fr)}dl.facts dd{margin-bottom:.35rem}}
@media print{
:root{color-scheme:light;--paper:#fff;--sheet:#fff;--ink:#000;--muted:#444;--line:#bbb;
--old:#3b6fb5;--new:#c9770a;--new-2:#e3a857;--third:#7a5ea8;--fourth:#1f7f86;--fifth:#a8446f;--sixth:#77721f;--seventh:#8fb0da;--eighth:#c3aee0;--band:#f3e3c8;--worse:#b3261e;--better:#1b6e3c;--link:#000}
html{font-size:10.5px}main{padding:0;max-width:none}figure,tr,dl{break-inside:avoid}h2,h3,summary{break-after:avoid}
.scroll{overflow:visible}details{border-color:#ccc}.figures{grid-template-columns:1fr 1fr}
}
"""
