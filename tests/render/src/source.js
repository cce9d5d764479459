// Prometheus' HTTP API as a Grafana data source, as far as our boards use it.
import { createDataFrame, DataFrameType, DataSourceApi, FieldType, rangeUtil } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';
import { from } from 'rxjs';

/** What went wrong, for the test to read. */
export const failures = [];

async function ask(path, query) {
  const reply = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(query)}`);
  const body = await reply.json();
  if (body.status === 'success') return body.data;
  failures.push(`${query.query ?? query['match[]']}: ${body.error}`);
  throw new Error(body.error);
}

/** Several values, or one that may be a pattern, go into a query as a regular expression. */
const quoted = (value) => {
  const each = [value].flat();
  return each.length === 1 ? each[0] : `(${each.join('|')})`;
};

const named = (format, labels) => format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');

const pairs = (series) => series.values ?? [series.value];

function lines(target, result, step) {
  return result.map((series) => {
    const name = target.legendFormat === '__auto' ? {} : { displayNameFromDS: named(target.legendFormat, series.metric) };
    return createDataFrame({
      refId: target.refId,
      meta: { type: DataFrameType.TimeSeriesMulti },
      fields: [
        { name: 'Time', type: FieldType.time, config: { interval: step * 1000 }, values: pairs(series).map(([at]) => at * 1000) },
        { name: 'Value', type: FieldType.number, labels: series.metric, config: name, values: pairs(series).map(([, value]) => Number(value)) },
      ],
    });
  });
}

function rows(target, result, alone) {
  const labels = [...new Set(result.flatMap((series) => Object.keys(series.metric).sort()))];
  const all = result.flatMap((series) => pairs(series).map(([at, value]) => ({ at, value, metric: series.metric })));
  return [createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: all.map(({ at }) => at * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: all.map(({ metric }) => metric[label] ?? '') })),
      { name: alone ? 'Value' : `Value #${target.refId}`, type: FieldType.number, values: all.map(({ value }) => Number(value)) },
    ],
  })];
}

export class Source extends DataSourceApi {
  constructor(settings, scrape) {
    super(settings);
    this.scrape = scrape;
    this.annotations = { prepareAnnotation: (each) => each, prepareQuery: () => undefined, processEvents: () => from([[]]) };
  }

  query(request) {
    return from(this.all(request));
  }

  async all(request) {
    const one = (target) => this.one(request, target, request.targets.length === 1);
    return { data: (await Promise.all(request.targets.map(one))).flat() };
  }

  async one(request, target, alone) {
    const start = request.range.from.valueOf() / 1000;
    const end = request.range.to.valueOf() / 1000;
    const step = rangeUtil.calculateInterval(request.range, request.maxDataPoints ?? 800, `${this.scrape}s`).intervalMs / 1000;
    const macro = (text) => ({ text, value: text });
    const expr = getTemplateSrv().replace(target.expr, {
      ...request.scopedVars,
      __interval: macro(`${step}s`),
      __rate_interval: macro(`${Math.max(step + this.scrape, 4 * this.scrape)}s`),
      __range: macro(`${Math.round(end - start)}s`),
    }, quoted);
    const data = target.instant
      ? await ask('query', { query: expr, time: end })
      : await ask('query_range', { query: expr, start: Math.floor(start / step) * step, end: Math.floor(end / step) * step, step });
    return target.format === 'table' ? rows(target, data.result, alone) : lines(target, data.result, step);
  }

  async metricFindQuery(model, { range }) {
    const text = getTemplateSrv().replace(model.query, {}, quoted);
    const [, series, label] = text.match(/^label_values\((.+), (\w+)\)$/);
    const values = await ask(`label/${label}/values`, { 'match[]': series, start: range.from.unix(), end: range.to.unix() });
    return values.map((value) => ({ text: value, value }));
  }
}
