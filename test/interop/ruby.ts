import { Driven } from './support/driven.ts';
import { stompSteps } from './support/stomp-steps.ts';

const ruby = new Driven({
  name: 'ruby-stomp',
  tool: 'ruby-stomp',
  script: 'driver.rb',
  versions: ['1.0', '1.1', '1.2'],
  beats: ['1.1', '1.2'],
  nacks: ['1.1', '1.2'],
  waits: true,
});
stompSteps(ruby, ruby.register);
