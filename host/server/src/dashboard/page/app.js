// The dashboard: connects the stream of events to the parts of the page.

import { listen } from '/dashboard/connection.js';
import { startDistribution } from '/dashboard/distribution.js';
import { startSearch } from '/dashboard/entries.js';
import { showHistory, showOverview, startOverview } from '/dashboard/overview.js';
import { showPolicy, startPolicies } from '/dashboard/policies.js';
import { showShadows, startShadows } from '/dashboard/shadows.js';
import { startUpload } from '/dashboard/upload.js';

let isStarted = false;

startOverview();
startSearch();
startShadows();
startUpload();

listen({
  history: showHistory,
  state(state) {
    showOverview(state);
    showPolicy(state);
    showShadows(state);
    if (state.cache?.stats && !isStarted) {
      isStarted = true;
      startPolicies();
      startDistribution();
    }
  },
});
