/** Keeps what breaks while it is drawn from taking the page along: its place says so, and draws again on new data. */
import { Component, type ComponentChildren } from 'preact';
import { Failure } from '../lib/api';
import { ErrorNote } from './states';

interface GuardProps {
  /** What is drawn; another one is worth another try. */
  of: unknown;
  children: ComponentChildren;
}

interface State {
  broken: boolean;
  of: unknown;
}

export class Guard extends Component<GuardProps, State> {
  override state: State = { broken: false, of: this.props.of };

  static override getDerivedStateFromError() {
    return { broken: true };
  }

  static override getDerivedStateFromProps(
    { of }: GuardProps,
    state: State,
  ): Partial<State> | null {
    return of === state.of ? null : { broken: false, of };
  }

  render() {
    if (this.state.broken) {
      const told = new Failure(0, 'unreadable', 'The reply is not what this page can show.');
      return <ErrorNote error={told} />;
    }
    return this.props.children;
  }
}
