// A JupyterLab extension without a build step: when a notebook opens whose metadata say {"edasim": {"start": true}},
// its cells with the tag "start" run by themselves as soon as the kernel is ready, once.
(function () {
  const started = new Set();

  async function start(app, panel) {
    const context = panel && panel.context;
    if (!context || !panel.sessionContext || started.has(panel.id)) return;
    await context.ready;
    const metadata = context.model.metadata || context.model.sharedModel.metadata;
    const mark = typeof metadata.get === "function" ? metadata.get("edasim") : metadata.edasim;
    if (!mark || !mark.start || started.has(panel.id)) return;
    started.add(panel.id);
    await panel.revealed;
    await panel.sessionContext.ready;
    const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
    if (!kernel) {
      started.delete(panel.id);
      return;
    }
    await kernel.info;
    const cells = panel.content.widgets;
    for (let index = 0; index < cells.length; index += 1) {
      const tags = cells[index].model.getMetadata("tags") || [];
      if (!tags.includes("start")) continue;
      panel.content.activeCellIndex = index;
      await app.commands.execute("notebook:run-cell");
    }
    panel.content.activeCellIndex = 0;
  }

  const plugin = {
    id: "edasim-start:plugin",
    description: "Runs the start cell of an edasim notebook by itself.",
    autoStart: true,
    activate: (app) => {
      const look = () => start(app, app.shell.currentWidget).catch((error) => console.warn("edasim-start:", error));
      if (app.shell.currentChanged) app.shell.currentChanged.connect(look);
      app.restored.then(look);
    },
  };

  const modules = {
    "./extension": () => ({ __esModule: true, default: plugin }),
    "./index": () => ({ __esModule: true, default: plugin }),
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["edasim-start"] = {
    init: () => {},
    get: (name) =>
      modules[name] ? Promise.resolve(modules[name]) : Promise.reject(new Error(`edasim-start has no module ${name}`)),
  };
})();
