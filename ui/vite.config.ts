import { defineConfig, type Plugin } from 'vite';

/** The app's chunk is fetched beside the boot script, which asks the gateway for the first figures meanwhile. */
function preloadApp(): Plugin {
  return {
    name: 'preload-app',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        const chunks = Object.values(bundle ?? {}).filter((one) => one.type === 'chunk');
        const app = chunks.find((one) => one.name === 'app');
        if (!app) throw new Error('There is no chunk "app" to preload.');
        const names = [app.fileName, ...app.imports];
        return names.map((name) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', href: `/dashboard/${name}`, crossorigin: true },
          injectTo: 'head' as const,
        }));
      },
    },
  };
}

const gateway = process.env['PENSTOCK_URL'] ?? 'http://127.0.0.1:8787';

// The gateway serves this under a policy without inline scripts or styles: nothing may be inlined.
export default defineConfig({
  base: '/dashboard/',
  plugins: [preloadApp()],
  build: {
    outDir: '../src/penstock/dashboard',
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssTarget: 'chrome123',
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(
      ['/admin', '/v1', '/api', '/metrics', '/dashboard/session'].map((path) => [path, gateway]),
    ),
  },
});
