/** Every test of a component knows the built-in profile. */
import { useProfile } from '@/composables/useProfile';
import { profile } from './samples';

useProfile().profile.value = profile;
