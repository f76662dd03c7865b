// dockerode without what it brings along for Docker over SSH and for builds: never used here, and an eighth of the daemon's memory.
import './left-out.ts'
import Docker from 'dockerode'

export default Docker
