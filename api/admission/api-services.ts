// APIServices without a service are served here: available as soon as they are there. Of others it is asked (controllers/api-service.ts).
import { available } from '../../shared/kinds/api-service.ts'
import type { Step } from './index.ts'

export const apiServices: Step = {
  name: 'APIServiceRegistration',
  create: ({ env, kind, object }) => {
    if (kind.kind === 'APIService' && !object.spec?.service)
      object.status = { conditions: [available('True', 'Local', 'Local APIServices are always available', env.clock.now())] }
    return undefined
  },
}
