import { defineConfig } from 'vite';

const gateway = process.env['PENSTOCK_URL'] ?? 'http://127.0.0.1:8787';

// The gateway serves this under a policy without inline scripts or styles: nothing may be inlined.
export default defineConfig({
  base: '/dashboard/',
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
