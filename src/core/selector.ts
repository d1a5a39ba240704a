export { type Naming, type Read, type Scalar, userProperty } from './selector/names.ts';
export { parseSelector, type Selector, type SelectorLimits } from './selector/selector.ts';
