// A page that breaks says so, and takes nothing else along.
import { Component, type ComponentChildren } from 'preact'
import { Problem } from './problem.tsx'

export class Boundary extends Component<{ children: ComponentChildren }, { error?: Error }> {
  override componentDidCatch(error: Error): void {
    this.setState({ error })
  }
  render() {
    const { error } = this.state
    if (!error) return this.props.children
    return <Problem error={new Error(`This page does not know what to make of what it got (${error.message}).`)} />
  }
}
