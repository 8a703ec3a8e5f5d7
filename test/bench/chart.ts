// Draws growth curves as SVG files for docs/limits.md (vega-lite; no DOM, no browser).
import { writeFile } from 'node:fs/promises';
import { compile, type TopLevelSpec } from 'vega-lite';
import { parse, View } from 'vega';

export interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
}

/** Both axes logarithmic: growth of any power is a straight line. */
export async function drawCurves(
  file: string,
  title: string,
  axes: { readonly x: string; readonly y: string },
  points: readonly Point[],
): Promise<void> {
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    width: 480,
    height: 300,
    background: 'white',
    data: { values: points.map((point) => ({ ...point })) },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'x', type: 'quantitative', scale: { type: 'log' }, axis: { title: axes.x } },
      y: { field: 'y', type: 'quantitative', scale: { type: 'log' }, axis: { title: axes.y } },
      color: { field: 'series', type: 'nominal', legend: { title: null } },
      strokeDash: { field: 'series', type: 'nominal', legend: { title: null } },
    },
  };
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  await writeFile(file, await view.toSVG());
  view.finalize();
}
