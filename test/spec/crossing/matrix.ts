import { crossings } from './support/crossings.ts';
import { oneInMemory } from './support/scene.ts';

crossings('crossing', oneInMemory);
