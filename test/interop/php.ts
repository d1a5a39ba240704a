import { Driven } from './support/driven.ts';
import { stompSteps } from './support/stomp-steps.ts';

const php = new Driven({
  name: 'php-stomp',
  tool: 'php-stomp',
  script: 'driver.php',
  versions: ['1.0', '1.1', '1.2'],
  beats: [],
  nacks: ['1.0', '1.1', '1.2'],
  waits: false,
});
stompSteps(php, php.register);
