import { fileURLToPath } from 'node:url';
import vue from '@vitejs/plugin-vue';
import components from 'unplugin-vue-components/vite';
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers';
import { defineConfig } from 'vitest/config';
import { compress } from './compress.ts';
import { sampleService } from './dev/plugin.ts';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const service = process.env.IPAM_REWIND_URL ?? 'http://127.0.0.1:8000';

export default defineConfig(({ mode, command }) => ({
  // The page works below any path.
  base: command === 'build' ? './' : '/',
  plugins: [
    vue(),
    // Element Plus by what is used; our own components are imported by name.
    components({
      dirs: [],
      dts: 'src/components.d.ts',
      resolvers: [ElementPlusResolver({ importStyle: mode === 'test' ? false : 'css' })],
    }),
    compress(),
    ...(mode === 'sample' ? [sampleService()] : []),
  ],
  resolve: { alias: { '@': file('./src') } },
  build: {
    // The service forbids `data:` fonts and inline scripts; all is files of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Swagger UI comes as one file.
    chunkSizeWarningLimit: 1600,
    rolldownOptions: { input: [file('./index.html'), file('./docs/index.html')] },
  },
  server: mode === 'sample' ? {} : { proxy: { '/api': service, '/docs': service, '/metrics': service } },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/testing/setup.ts'],
  },
}));
