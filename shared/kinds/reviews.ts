// The authorization and authentication reviews: asked and answered, never stored. Answers are made in api/http/reviews.ts.
import { type Kind, plainKind } from './kind.ts'

const review = (group: string, kind: string, type: string, namespaced = false): Kind =>
  plainKind({ group, kind, plural: `${kind.toLowerCase()}s`, namespaced, type, verbs: ['create'], virtual: true })

export const reviews: Kind[] = [
  review('authorization.k8s.io', 'SelfSubjectAccessReview', 'V1SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'SubjectAccessReview', 'V1SubjectAccessReview'),
  review('authorization.k8s.io', 'LocalSubjectAccessReview', 'V1LocalSubjectAccessReview', true),
  review('authorization.k8s.io', 'SelfSubjectRulesReview', 'V1SelfSubjectRulesReview'),
  review('authentication.k8s.io', 'TokenReview', 'V1TokenReview'),
  review('authentication.k8s.io', 'SelfSubjectReview', 'V1SelfSubjectReview'),
]
