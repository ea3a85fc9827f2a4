import vue from "@vitejs/plugin-vue";
import { defaultClientConditions, defineConfig } from "vite";

/** Where a gateway to develop against listens: `magpie serve --dev --listen 127.0.0.1:7070`. */
const gateway = process.env["MAGPIE"] ?? "http://127.0.0.1:7070";

export default defineConfig({
  plugins: [vue()],
  // The client is compiled from its source: no build of it has to come first.
  resolve: { conditions: ["magpie-source", ...defaultClientConditions] },
  // Relative addresses: the console works under any path.
  base: "./",
  define: { __VUE_OPTIONS_API__: "false" },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // Every file is a file of its own: the content security policy allows none inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/ws": { target: gateway, ws: true, changeOrigin: true },
      "/console.json": gateway,
      "/magpie.v1.GatewayService": gateway,
    },
  },
  test: { include: ["test/**/*.test.ts"], environment: "happy-dom" },
} as import("vitest/config").ViteUserConfig);
