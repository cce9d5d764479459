// One board, drawn by Grafana's scenes library against a Prometheus; window.settled() says when all has been drawn.
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router-dom';
import { createTheme, EventBusSrv, LoadingState, standardEditorsRegistry, standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry, ThemeContext } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import * as runtime from '@grafana/runtime';
import {
  ConstantVariable, DataSourceVariable, EmbeddedScene, QueryVariable, sceneGraph, SceneDataTransformer, SceneGridItem, SceneGridLayout, SceneGridRow, SceneQueryRunner,
  SceneTimeRange, SceneVariableSet, VariableValueSelectors, VizPanel,
} from '@grafana/scenes';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { from, map } from 'rxjs';
import { pluginsFor, standardFields } from './panels.jsx';
import { failures, Source } from './source.js';

const { board, start, end, scrape } = await (await fetch('/job.json')).json();
const theme = createTheme({ colors: { mode: 'light' } });
const plugins = pluginsFor(board);
const drawn = [];
let scene;

function prepare() {
  const settings = { id: 1, uid: 'prometheus', name: 'Prometheus', type: 'prometheus', isDefault: true, access: 'proxy', jsonData: {}, meta: { id: 'prometheus', name: 'Prometheus', metrics: true, info: { logos: {} } } };
  const source = new Source(settings, scrape);
  Object.assign(runtime.config, { theme2: theme, featureToggles: {}, bootData: { user: {}, settings: {} } });
  runtime.setDataSourceSrv({ get: async () => source, getList: () => [settings], getInstanceSettings: () => settings, reload() {} });
  runtime.setTemplateSrv({
    replace: (text, scoped, format) => sceneGraph.interpolate(scoped?.__sceneObject?.value?.valueOf() ?? scene, text, scoped, format),
    getVariables: () => [], containsTemplate: (text) => /\$/.test(text ?? ''), updateTimeRange() {},
  });
  runtime.setRunRequest((origin, request) => from(origin.query(request)).pipe(map(({ data }) => ({ state: LoadingState.Done, series: data, timeRange: request.range, request, annotations: [] }))));
  runtime.setPluginImportUtils({ importPanelPlugin: async (id) => plugins[id], getPanelPluginFromCache: (id) => plugins[id] });
  runtime.setBackendSrv({ get: async () => ({}), fetch: () => { throw new Error('no server'); } });
  runtime.setAppEvents?.(new EventBusSrv());
  runtime.setReturnToPreviousHook?.(() => () => {});
  runtime.setPluginLinksHook?.(() => ({ links: [], isLoading: false }));
  runtime.setPluginComponentsHook?.(() => ({ components: [], isLoading: false }));
  const known = Object.values(standardTransformers).filter((each, i, all) => all.findIndex(({ id }) => id === each.id) === i);
  standardTransformersRegistry.setInit(() => known.map((each) => ({ id: each.id, name: each.name, description: '', transformation: async () => each, editor: () => null, imageDark: '', imageLight: '' })));
  standardEditorsRegistry.setInit(() => []);
  standardFieldConfigEditorRegistry.setInit(standardFields);
}

function variable({ type, name, label, query, multi, includeAll, allValue, refresh, sort, hide, skipUrlSync }) {
  if (type === 'datasource') return new DataSourceVariable({ name, label, pluginId: query, value: 'prometheus', text: 'Prometheus' });
  if (type === 'constant') return new ConstantVariable({ name, value: query, hide });
  const all = includeAll ? { value: ['$__all'], text: ['All'] } : {};
  return new QueryVariable({ name, label, query, isMulti: multi, includeAll, allValue, refresh, sort, hide, skipUrlSync, datasource: { uid: 'prometheus', type: 'prometheus' }, ...all });
}

function item(panel) {
  const { x, y, w, h } = panel.gridPos;
  const queries = new SceneQueryRunner({ datasource: panel.datasource, queries: panel.targets, maxDataPoints: panel.maxDataPoints, maxDataPointsFromWidth: true });
  const $data = panel.transformations.length ? new SceneDataTransformer({ $data: queries, transformations: panel.transformations }) : queries;
  const body = new VizPanel({ key: `panel-${panel.id}`, title: panel.title, pluginId: panel.type, options: panel.options, fieldConfig: panel.fieldConfig, $data });
  drawn.push({ panel, body });
  return new SceneGridItem({ x, y, width: w, height: h, body, isDraggable: false, isResizable: false });
}

/** Panels after a row belong to it. */
function grid() {
  const rows = [];
  for (const panel of board.panels) {
    if (panel.type === 'row') rows.push(new SceneGridRow({ key: `row-${panel.id}`, title: panel.title, y: panel.gridPos.y, children: [] }));
    else rows.at(-1).setState({ children: [...rows.at(-1).state.children, item(panel)] });
  }
  return rows;
}

const iso = (seconds) => new Date(seconds * 1000).toISOString();
prepare();
await initPluginTranslations('grafana', []).catch(() => {});
scene = new EmbeddedScene({
  $timeRange: new SceneTimeRange({ from: iso(start), to: iso(end), timeZone: 'utc' }),
  $variables: new SceneVariableSet({ variables: board.templating.list.map(variable) }),
  controls: [new VariableValueSelectors({})],
  body: new SceneGridLayout({ isLazy: false, children: grid() }),
});

window.settled = () => drawn.every(({ body }) => {
  const state = sceneGraph.getData(body).state.data?.state;
  return state === LoadingState.Done || state === LoadingState.Error;
});
window.failures = () => failures;
window.panel = (title) => {
  const { panel } = drawn.find((each) => each.panel.title === title);
  return document.querySelector(`[data-viz-panel-key="panel-${panel.id}"]`);
};
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <BrowserRouter>
      <GlobalStyles />
      <h3 style={{ padding: 4 }}>{board.title}</h3>
      <scene.Component model={scene} />
      <PortalContainer />
    </BrowserRouter>
  </ThemeContext.Provider>,
);
