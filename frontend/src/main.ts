import { createApp } from 'vue';
import App from './App.vue';
import { router } from './router';
import 'element-plus/es/components/base/style/css';
import 'element-plus/es/components/message/style/css';
import 'element-plus/theme-chalk/dark/css-vars.css';
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/element.css';
import './styles/base.css';

createApp(App).use(router).mount('#app');
