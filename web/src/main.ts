import { createApp } from "vue";
import App from "./App.vue";
import { fetchConfig } from "./gateway/config";
import { createGateway, gatewayKey } from "./gateway/gateway";
import { createSpeech, speechKey } from "./i18n/language";
import { createTheme } from "./prefs/theme";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/ansi.css";

const theme = createTheme();
const config = await fetchConfig();

createApp(App, { theme })
  .provide(speechKey, createSpeech())
  .provide(gatewayKey, createGateway(config))
  .mount("#app");
