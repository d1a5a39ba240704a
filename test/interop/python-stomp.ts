import { Driven } from './support/driven.ts';
import { stompSteps } from './support/stomp-steps.ts';

const python = new Driven({
  name: 'python3-stomp',
  tool: 'stomp.py',
  script: 'driver.py',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.1', '1.2'],
  waits: true,
});
stompSteps(python, python.register);
