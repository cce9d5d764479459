// Our kinds of panels. Graphs, numbers and tables are Grafana's own components; state timelines, which Grafana does not
// publish, are drawn here after what its documentation says of them.
import {
  applyNullInsertThreshold, cacheFieldDisplayNames, FieldType, getDisplayValueAlignmentFactors, getFieldDisplayName, getFieldDisplayValues, identityOverrideProcessor, nullToValue, PanelPlugin,
  dataLinksOverrideProcessor, numberOverrideProcessor, stringOverrideProcessor, thresholdsOverrideProcessor, unitOverrideProcessor, valueMappingsOverrideProcessor,
  displayNameOverrideProcessor, VizOrientation,
} from '@grafana/data';
import { useMemo } from 'react';
import { BigValue, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const isEmpty = (data) => data.series.every((frame) => frame.length === 0);

function Nothing({ fieldConfig }) {
  return <div className="nothing" style={{ height: '100%', display: 'grid', placeItems: 'center', textAlign: 'center' }}>{fieldConfig.defaults.noValue}</div>;
}

/** Where no sample is, there is a hole, as in Grafana. */
const holed = (frame, timeRange) =>
  nullToValue(applyNullInsertThreshold({ frame, refFieldPseudoMin: timeRange.from.valueOf(), refFieldPseudoMax: timeRange.to.valueOf() }));

function Graph({ data, width, height, timeRange, timeZone, options }) {
  const frames = useMemo(() => data.series.map((frame) => holed(frame, timeRange)), [data.series, timeRange]);
  return (
    <TimeSeries frames={frames} structureRev={data.structureRev} width={width} height={height} timeRange={timeRange} timeZone={timeZone}
      legend={options.legend} options={options}>{() => null}</TimeSeries>
  );
}

function Numbers({ data, width, height, options, fieldConfig, replaceVariables, timeZone, renderCounter }) {
  const theme = useTheme2();
  const sparkline = options.graphMode !== 'none';
  const values = () => getFieldDisplayValues({ fieldConfig, reduceOptions: options.reduceOptions, replaceVariables, theme, data: data.series, sparkline, timeZone });
  const one = ({ value, width: w, height: h, count, alignmentFactors }) => (
    <BigValue theme={theme} width={w} height={h} count={count} value={value.display} sparkline={value.sparkline} colorMode={options.colorMode}
      graphMode={options.graphMode} justifyMode={options.justifyMode} textMode={options.textMode} alignmentFactors={alignmentFactors} />
  );
  return (
    <VizRepeater width={width} height={height} source={data} getValues={values} renderValue={one} renderCounter={renderCounter} autoGrid itemSpacing={3}
      orientation={VizOrientation.Auto} getAlignmentFactors={getDisplayValueAlignmentFactors} />
  );
}

function Rows({ data, width, height, options, fieldConfig, timeRange, replaceVariables }) {
  cacheFieldDisplayNames(data.series);
  return (
    <TableNG data={data.series[0]} width={width} height={height} initialSortBy={options.sortBy} cellHeight={options.cellHeight} timeRange={timeRange}
      enablePagination={options.enablePagination} fieldConfig={fieldConfig} structureRev={data.structureRev} enableVirtualization={false}
      getActions={() => []} replaceVariables={replaceVariables} />
  );
}

/** Stretches of equal values, as [from, to, shown] in milliseconds; a hole is none. */
function stretches(series, timeRange) {
  const frame = holed(series, timeRange);
  const time = frame.fields.find(({ type }) => type === FieldType.time).values;
  const value = series.fields.find(({ type }) => type === FieldType.number);
  const values = frame.fields.find(({ type }) => type === FieldType.number).values;
  const out = [];
  let open = null;
  values.forEach((each, i) => {
    const shown = each == null ? null : value.display(each);
    if (open && open[2].text === shown?.text) return;
    if (open) open[1] = time[i];
    open = shown && [time[i], Math.max(time.at(-1), time[i]), shown];
    if (open) out.push(open);
  });
  return [getFieldDisplayName(value, series), out];
}

function Timeline({ data, height, timeRange }) {
  const [start, end] = [timeRange.from.valueOf(), timeRange.to.valueOf()];
  const at = (ms) => `${(100 * (ms - start)) / (end - start)}%`;
  const bar = Math.max(14, Math.min(60, (height - 30) / data.series.length - 6));
  const ticks = [0, 1, 2, 3, 4, 5].map((n) => start + (n * (end - start)) / 6);
  return (
    <div style={{ display: 'grid', gridTemplateColumns: 'max-content 1fr', gap: 6, fontSize: 12 }}>
      {data.series.map((frame) => {
        const [name, parts] = stretches(frame, timeRange);
        return [
          <div key={`${name} name`} style={{ alignSelf: 'center', whiteSpace: 'nowrap', paddingRight: 12 }}>{name}</div>,
          <div key={name} className="bars" data-name={name} style={{ position: 'relative', height: bar }}>
            {parts.map(([from, to, shown]) => (
              <span key={from} data-from={from} data-to={to} style={{ position: 'absolute', left: at(from), width: `calc(${at(start + to - from)} - 1px)`, top: 0, bottom: 0, background: shown.color, color: '#000', overflow: 'hidden', padding: '0 3px', lineHeight: `${bar}px` }}>{shown.text}</span>
            ))}
          </div>,
        ];
      })}
      <div />
      <div style={{ display: 'flex', justifyContent: 'space-between' }}>{ticks.map((ms) => <span key={ms}>{new Date(ms).toISOString().slice(11, 19)}</span>)}</div>
    </div>
  );
}

const DRAWN = { timeseries: Graph, stat: Numbers, table: Rows, 'state-timeline': Timeline, heatmap: Nothing };

const PROCESSORS = {
  displayName: displayNameOverrideProcessor, unit: unitOverrideProcessor, min: numberOverrideProcessor, max: numberOverrideProcessor, decimals: numberOverrideProcessor,
  color: identityOverrideProcessor, mappings: valueMappingsOverrideProcessor, thresholds: thresholdsOverrideProcessor, noValue: stringOverrideProcessor, links: dataLinksOverrideProcessor,
};
const property = (id, process, more) => ({ id, path: id, name: id, editor: () => null, override: () => null, process, shouldApply: () => true, settings: {}, ...more });
/** As Grafana's own fields: a name may hold variables, such as labels of its series. */
export const standardFields = () =>
  Object.entries(PROCESSORS).map(([id, process]) => property(id, process, id === 'displayName' ? { settings: { expandTemplateVars: true } } : {}));

/** Grafana drops custom options that no plugin registers, so what a board uses is registered. */
export function pluginsFor(board) {
  const custom = new Set();
  for (const { fieldConfig } of board.panels) {
    for (const key of Object.keys(fieldConfig?.defaults.custom ?? {})) custom.add(key);
    for (const { properties } of fieldConfig?.overrides ?? []) for (const { id } of properties) if (id.startsWith('custom.')) custom.add(id.slice(7));
  }
  return Object.fromEntries(Object.entries(DRAWN).map(([type, Drawn]) => {
    const plugin = new PanelPlugin((props) => (isEmpty(props.data) ? <Nothing {...props} /> : <Drawn {...props} />)).useFieldConfig({
      useCustomConfig: (builder) => custom.forEach((id) => builder.addCustomEditor(property(id, identityOverrideProcessor))),
    });
    plugin.meta = { id: type, name: type, info: { logos: {}, version: '' } };
    return [type, plugin];
  }));
}
